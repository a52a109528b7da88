"""What the features of a home tell, measured before any training, and the report on them."""

from collections.abc import Mapping

import dagster as dg
import duckdb
import polars as pl

from churn_platform.core.feature_quality import feature_quality
from churn_platform.errors import UsageError
from churn_platform.lake.mapping import read_mapping
from churn_platform.orchestration.feature_tables import all_features, described_features, feature_tables
from churn_platform.orchestration.shop import Shop
from churn_platform.reports.feature_quality import FeatureReport, Quality, write_report
from churn_platform.warehouse.build_versions import mean_seconds
from churn_platform.warehouse.connection import table_exists
from churn_platform.warehouse.frames import read_frame


def measure_features(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The rows of feature_quality.

    Raises:
        NotEnoughData: no label has closed, or all have the same outcome.
    """
    labelled = shop.training_frame(connection).filter(pl.col("snapshot_date").is_in(shop.plan.labelled))
    scored = read_frame(
        connection, f"FROM {all_features()} WHERE is_eligible AND snapshot_date = $newest", {"newest": shop.plan.newest}
    )
    described = pl.DataFrame(
        [
            {"feature": name, "feature_table": table, "feature_family": column.family}
            for name, (table, column) in described_features().items()
        ]
    )
    measured = feature_quality(labelled, labelled["churned"].to_numpy(), scored, shop.features)
    return measured.join(described, on="feature").with_columns(auc_ceiling=pl.lit(shop.definition.targets.maximum_auc))


def report_on_features(shop: Shop, connection: duckdb.DuckDBPyConnection) -> Mapping[str, dg.MetadataValue]:
    """Write the report on the published measures into reports/; return what the UI shows beside the table."""
    described = described_features()
    rows = connection.table("feature_quality").pl().sort("information_value", descending=True)
    report = FeatureReport(
        source=read_mapping(shop.home.mapping_file).source.name,
        snapshots=len(shop.plan.labelled),
        newest=shop.plan.newest,
        made_at=shop.now(),
        features=[Quality(**row, meaning=described[row["feature"]][1].meaning) for row in rows.iter_rows(named=True)],
        seconds={table: mean_seconds(connection, table) for table in feature_tables()},
    )
    page = write_report(report, shop.home.reports)
    told = ", ".join(found.feature for found in report.features[:5])
    return {"report": dg.MetadataValue.path(page), "most_informative": dg.MetadataValue.text(told)}


def suspects_of(connection: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Feature → AUC alone of those above the ceiling, the best first.

    Raises:
        UsageError: the table has not been built.
    """
    if not table_exists(connection, "feature_quality"):
        raise UsageError("No feature has been measured yet. Materialise feature_quality, or run the job full_refresh.")
    found = connection.execute(
        "SELECT feature, auc FROM feature_quality WHERE auc > auc_ceiling ORDER BY auc DESC, feature"
    )
    return dict(found.fetchall())
