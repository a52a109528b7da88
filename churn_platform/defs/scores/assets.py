"""Forecasts, segments, profiles and the daily churn scores."""

from pathlib import Path

import dagster as dg
import duckdb
import polars as pl

from churn_platform.core import (
    bgnbd,
    demand_forecast,
    gamma_gamma,
    metrics,
    purchase_forecast,
    reason_words,
    reasons,
    scoring,
    segments,
    survival,
)
from churn_platform.core import challenger as challenger_figures
from churn_platform.orchestration import (
    challenger,
    ladder,
    reason_catalogue,
    segmentation,
    snapshot_scores,
    survival_view,
)
from churn_platform.orchestration.challenger import compare_challengers, report_on_challenger, shadow_scores
from churn_platform.orchestration.feature_tables import feature_tables
from churn_platform.orchestration.gated_assets import frame_asset, sql_asset
from churn_platform.orchestration.segmentation import find_segments, give_segments, report_on_segments
from churn_platform.orchestration.shop import Shop
from churn_platform.orchestration.snapshot_scores import score_snapshot
from churn_platform.orchestration.survival_view import forecast_survival, report_on_survival
from churn_platform.warehouse.frames import read_frame

GROUP = "5_scores"
HISTORIES = Path(ladder.__file__).parent / "sql" / "purchase_histories.sql"


@dg.definitions
def defs() -> dg.Definitions:
    scores = frame_asset(
        "churn_scores",
        group=GROUP,
        deps=[*feature_tables(), "churn_labels", "purchase_forecast", "champion_model"],
        kinds={"xgboost", "polars"},
        compute=score_snapshot,
        code=[scoring, reasons, reason_words, reason_catalogue, ladder, snapshot_scores],
    )
    forecast = frame_asset(
        "purchase_forecast",
        group=GROUP,
        deps=["user_days", "user_features"],
        kinds={"scipy", "polars"},
        compute=_forecast,
        code=[purchase_forecast, bgnbd, gamma_gamma],
    )
    demand = frame_asset(
        "demand_forecast",
        group=GROUP,
        deps=["category_weeks"],
        kinds={"numpy", "polars"},
        compute=_demand,
        code=[demand_forecast],
    )
    survived = frame_asset(
        "survival_forecast",
        group=GROUP,
        deps=["churn_scores", "churn_dates", "survival_evaluation", *feature_tables()],
        kinds={"scikitlearn", "polars"},
        compute=forecast_survival,
        code=[survival, survival_view],
        after=report_on_survival,
    )
    by_sql = [sql_asset(table, group=GROUP) for table in ("user_profiles", "churn_scores_latest", "category_weeks")]
    return dg.Definitions(assets=[forecast, demand, *_segments(), scores, survived, *_challengers(), *by_sql])


def _segments() -> list[dg.AssetsDefinition]:
    found = frame_asset(
        "segment_traits",
        group=GROUP,
        deps=[*feature_tables()],
        kinds={"scikitlearn", "polars"},
        compute=find_segments,
        code=[segments, segmentation],
    )
    given = frame_asset(
        "customer_segments",
        group=GROUP,
        deps=["segment_traits", *feature_tables()],
        kinds={"polars"},
        compute=give_segments,
        code=[segments, segmentation],
    )
    moves = sql_asset("segment_moves", group=GROUP, deps=["segment_traits"], after=report_on_segments)
    return [found, given, moves]


def _challengers() -> list[dg.AssetsDefinition]:
    shadow = frame_asset(
        "shadow_scores",
        group=GROUP,
        deps=[*feature_tables(), "churn_scores"],
        kinds={"xgboost", "polars"},
        compute=shadow_scores,
        code=[challenger, scoring],
    )
    comparison = frame_asset(
        "challenger_comparison",
        group=GROUP,
        deps=["shadow_scores", "user_days"],
        kinds={"polars"},
        compute=compare_challengers,
        code=[challenger, challenger_figures, metrics],
        after=report_on_challenger,
    )
    return [shadow, comparison]


def _forecast(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    definition, newest = shop.definition, shop.plan.newest
    bought = read_frame(connection, HISTORIES.read_text(encoding="utf-8"), {"snapshot_date": newest})
    return purchase_forecast.purchase_forecast(
        bought,
        newest,
        definition.churn.horizon_days,
        default_order_value=definition.campaign.default_order_value,
    )


def _demand(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    weeks = connection.table("category_weeks").pl()
    return demand_forecast.demand_forecast(weeks, shop.plan.newest)
