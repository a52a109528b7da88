"""The survival view of a warehouse: who it is of, what it learns from, its tests and its page."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import polars as pl
import pytest

from churn_platform.core.survival_evaluation import SURVIVAL_VIEW
from churn_platform.orchestration import survival_view
from churn_platform.orchestration.model_reports import keep_predictions, report_folder
from churn_platform.orchestration.shop import Shop
from churn_platform.orchestration.survival_view import (
    PREDICTIONS,
    evaluate_forecasts,
    forecast_survival,
    hazard_features,
    report_on_survival,
)
from churn_platform.reports.survival import PAGE
from churn_platform.settings import Home
from churn_platform_tests.orchestration.landed_files import MAPPING, landed_history

CUSTOMERS = 150
FIRST_DAY, LAST_DAY = date(2023, 1, 1), date(2024, 12, 31)
VERSION = "abc"


def customers(shop: Shop, snapshot: date, seed: int) -> pl.DataFrame:
    """Features of CUSTOMERS, the last of whom is not eligible; silent customers churn sooner."""
    rng = np.random.default_rng(seed)
    silence = rng.lognormal(3, 1, CUSTOMERS)
    named = {name: rng.lognormal(1, 1, CUSTOMERS) for name in hazard_features(shop)}
    return pl.DataFrame(
        named | {"recency_days": silence, "days": np.floor(rng.exponential(3_000 / silence))}
    ).with_columns(
        snapshot_date=pl.lit(snapshot),
        user_id=pl.format("u{}", pl.int_range(CUSTOMERS)),
        is_eligible=pl.int_range(CUSTOMERS) < CUSTOMERS - 1,
    )


@pytest.fixture
def connection(home: Home, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with features, churn dates and scores of two years, and the predictions of a candidate."""
    landed_history(home, "h", [FIRST_DAY, LAST_DAY])
    home.mapping_file.write_text(MAPPING)
    plan, known_until = shop.plan, LAST_DAY - timedelta(days=91)
    monkeypatch.setattr(survival_view, "all_features", lambda: "features")
    days = [*plan.labelled, plan.newest]
    features = pl.concat([customers(shop, day, number) for number, day in enumerate(days)])
    known = (pl.lit(known_until) - pl.col("snapshot_date")).dt.total_days()
    churn_dates = features.filter(pl.col("snapshot_date") < plan.newest).select(
        "snapshot_date",
        "user_id",
        churned_on=pl.when(pl.col("days") <= known).then(pl.col("snapshot_date") + pl.duration(days="days")),
        observed_from="snapshot_date",
        observed_until=pl.lit(known_until),
    )
    scores = features.filter(pl.col("snapshot_date") == plan.newest, "is_eligible").select(
        "snapshot_date", "user_id", churn_probability=pl.lit(0.25), risk_band=pl.lit("low")
    )
    shop.registry.record(VERSION, "candidate", actor="platform", at=datetime(2025, 1, 1, tzinfo=UTC), reason="trained")
    made = features.filter(pl.col("snapshot_date").is_in(plan.folds))
    keep_predictions(shop, VERSION, made.select("user_id", fold="snapshot_date", probability=pl.lit(0.3)))
    with duckdb.connect() as opened:
        for name, frame in {"features": features, "churn_dates": churn_dates, "churn_scores": scores}.items():
            opened.register("frame", frame)
            opened.execute(f"CREATE TABLE {name} AS FROM frame")
            opened.unregister("frame")
        yield opened


def publish(connection: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    connection.register("computed", frame)
    connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM computed")
    connection.unregister("computed")


def test_the_hazards_are_told_by_recency_orders_and_spend(shop: Shop) -> None:
    features = hazard_features(shop)
    assert {"recency_days", "orders_total", "orders_90d", "spend_90d"} <= set(features)
    assert not [name for name in features if not name.startswith(("recency_days", "orders_", "spend_"))]


def test_everybody_scored_has_a_forecast_that_begins_with_the_score(
    shop: Shop, connection: duckdb.DuckDBPyConnection
) -> None:
    forecast = forecast_survival(shop, connection)
    assert forecast["snapshot_date"].unique().to_list() == [shop.plan.newest]
    assert sorted(forecast["user_id"]) == sorted(f"u{n}" for n in range(CUSTOMERS - 1))
    assert forecast["active_0d"].unique().to_list() == [0.75]
    assert forecast["active_180d"].null_count() == 0
    silent = connection.execute(
        "SELECT user_id FROM features WHERE snapshot_date = $newest AND recency_days > 60", {"newest": shop.plan.newest}
    ).pl()
    gone = forecast.with_columns(silent=pl.col("user_id").is_in(silent["user_id"].implode()))
    means = dict(gone.group_by("silent").agg(pl.col("active_90d").mean()).iter_rows())
    assert means[True] < means[False] - 0.1


def test_who_was_not_eligible_is_not_learnt_from(shop: Shop, connection: duckdb.DuckDBPyConnection) -> None:
    before = forecast_survival(shop, connection)
    last = f"u{CUSTOMERS - 1}"
    connection.execute("UPDATE churn_dates SET churned_on = observed_from WHERE user_id = $last", {"last": last})
    assert forecast_survival(shop, connection).equals(before)
    connection.execute("UPDATE churn_dates SET churned_on = observed_from + 1 WHERE user_id = 'u1'")
    assert not forecast_survival(shop, connection).equals(before)


def test_with_lead_days_the_first_day_is_that_of_the_label_window(
    home: Home, shop: Shop, connection: duckdb.DuckDBPyConnection
) -> None:
    connection.execute("UPDATE churn_scores SET churn_probability = 0.6")
    assert forecast_survival(shop, connection)["median_churn_date"].unique().to_list() == [shop.plan.newest]
    home.definition_file.write_text("[churn]\nlead_days = 7\n")
    starts_on = shop.plan.newest + timedelta(days=7)
    assert forecast_survival(shop, connection)["median_churn_date"].unique().to_list() == [starts_on]


def test_the_tests_are_of_the_newest_candidate_and_their_predictions_are_kept(
    shop: Shop, connection: duckdb.DuckDBPyConnection
) -> None:
    found = evaluate_forecasts(shop, connection)
    assert found["model_version"].unique().to_list() == [VERSION]
    assert set(found["fold"]) <= set(shop.plan.folds)
    view = found.filter(model=SURVIVAL_VIEW, metric="users")
    assert view["value"].unique().to_list() == [CUSTOMERS - 1]
    kept = pl.read_parquet(report_folder(shop, VERSION) / PREDICTIONS)
    assert set(kept.select("fold", "horizon_days").iter_rows()) == set(view.select("fold", "horizon_days").iter_rows())


def test_the_page_is_written_with_and_without_tests(
    home: Home, shop: Shop, connection: duckdb.DuckDBPyConnection
) -> None:
    publish(connection, "survival_forecast", forecast_survival(shop, connection))
    report_on_survival(shop, connection)
    assert "No horizon has been tested" in (home.reports / PAGE).read_text()
    publish(connection, "survival_evaluation", evaluate_forecasts(shop, connection))
    report_on_survival(shop, connection)
    assert 'data-table="tests"' in (home.reports / PAGE).read_text()
    publish(connection, "survival_evaluation", evaluate_forecasts(shop, connection).clear())
    home.definition_file.write_text('[reports]\nlanguage = "zh"\n')
    report_on_survival(shop, connection)
    page = (home.reports / PAGE).read_text()
    assert "生存视图" in page and 'data-table="tests"' not in page
