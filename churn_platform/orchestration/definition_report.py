"""The churn-definition lab of a home, and the report on it."""

from collections.abc import Mapping

import dagster as dg
import duckdb
import polars as pl

from churn_platform.core.definition_lab import HorizonSummary, recommend, summarise
from churn_platform.lake.mapping import read_mapping
from churn_platform.orchestration.shop import Shop
from churn_platform.reports.definition_lab import DefinitionReport, write_report

_MOST_SLICES = 20


def report_on_definitions(shop: Shop, connection: duckdb.DuckDBPyConnection) -> Mapping[str, dg.MetadataValue]:
    """Write the report on the published table into reports/; return what the UI shows beside the table."""
    lab, churn = connection.table("definition_lab").pl(), shop.definition.churn
    horizons = summarise(lab.filter(slice_kind="all"), churn.horizon_days)
    recommendation = recommend(horizons)
    page = write_report(
        DefinitionReport(
            source=read_mapping(shop.home.mapping_file).source.name,
            definition_version=shop.definition.version,
            current_horizon=churn.horizon_days,
            lookback_days=churn.lookback_days,
            lead_days=churn.lead_days,
            horizons=horizons,
            slices={kind: _slices(lab, kind, churn.horizon_days) for kind in ("loyalty", "category")},
            recommendation=recommendation,
            made_at=shop.now(),
        ),
        shop.home.reports,
    )
    return {"report": dg.MetadataValue.path(page), "recommendation": dg.MetadataValue.text(recommendation.reason)}


def _slices(lab: pl.DataFrame, kind: str, horizon: int) -> dict[str, HorizonSummary]:
    """The largest slices of a kind that the current horizon has passed for."""
    own = lab.filter(slice_kind=kind, horizon_days=horizon)
    largest = own.group_by("slice").agg(pl.col("eligible").sum()).sort("eligible", "slice", descending=[True, False])
    return {
        name: summarise(own.filter(slice=name), horizon)[0] for name in largest["slice"].head(_MOST_SLICES).to_list()
    }
