"""One command from raw events to the published file, and the same again."""

import json
from datetime import date

import pytest

from churn_platform.lake.ledger import Ledger
from churn_platform.launch import run_job
from churn_platform.registry.registry import ModelRegistry
from churn_platform.sql.library import default_library
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import SIMULATED_MAPPING, churn, content, rows

REASONS = [f"reason_{place}_{part}" for place in (1, 2, 3) for part in ("code", "text", "contribution")]
SCORES = {
    "snapshot_date", "user_id", "churn_score", "churn_probability", "risk_percentile", "risk_band", *REASONS,
    "expected_value", "value_at_risk", "scored_by", "model_version", "definition_version", "horizon_days", "expires_on",
}  # fmt: skip
PUBLISHED = {
    "churn_scores": SCORES,
    "churn_scores_latest": SCORES,
    "user_profiles": {
        "user_id", "tenure_days", "orders", "spend", "recency_days", "median_gap_days", "favourite_category",
        "preferred_hour", "preferred_weekday", "lifecycle_stage", "segment", "segment_description",
        "next_purchase_expected_on", "expected_orders", "expected_spend",
    },
    "retention_campaign": {"list_id", "user_id", "arm", "action", "expected_profit", "rank", "decision_reason"},
    "model_evaluation": {"model_version", "fold", "population", "model", "metric", "value", "lower", "upper"},
    "survival_forecast": {
        "snapshot_date", "user_id", "active_30d", "active_60d", "active_90d", "active_180d", "median_churn_date",
        "forecast_by", "reason",
    },
    "survival_evaluation": {
        "model_version", "fold", "horizon_days", "model", "metric", "value", "lower", "upper",
    },
    "model_evaluation_by_segment": {"model_version", "fold", "segment", "metric", "value", "lower", "upper"},
    "data_readiness": {"rule", "verdict", "observed", "threshold", "advice"},
    "model_registry": {"event_id", "model_version", "event", "actor", "occurred_at", "reason", "champion_after"},
    "quality_results": {
        "run_id", "table_name", "expectation", "severity", "status", "observed", "failing_rows", "checked_at",
    },
    "data_dictionary": {
        "table_name", "column_name", "data_type", "meaning", "unit", "source_columns", "nullable", "coverage",
    },
}  # fmt: skip


def test_the_command_ends_well_and_says_what_it_found(small_shop: SmallShop) -> None:
    assert small_shop.run.code == 0, small_shop.run.output
    for told in (
        "eligible customers",
        "observed churn rate",
        "churn model",
        "logistic regression",
        "recency rule",
        "to contact",
        "expected profit",
        "value at risk",
        "auto_accept = true",
    ):
        assert told in small_shop.run.output, told


@pytest.mark.parametrize("table", sorted(PUBLISHED))
def test_a_published_table_has_the_promised_columns_and_rows(small_shop: SmallShop, table: str) -> None:
    found = rows(
        small_shop.home.published_file, f"SELECT column_name FROM duckdb_columns() WHERE table_name = '{table}'"
    )
    assert PUBLISHED[table] <= {str(row[0]) for row in found}
    assert rows(small_shop.home.published_file, f"SELECT count(*) FROM {table}") != [(0,)]


def test_the_model_is_evaluated_on_the_eligible_on_all_and_by_stage(small_shop: SmallShop) -> None:
    eligible, everyone = (
        f"SELECT fold, value FROM model_evaluation WHERE metric = 'users' AND population = '{population}' ORDER BY fold"
        for population in ("eligible", "all")
    )
    published = small_shop.home.published_file
    few, many = rows(published, eligible), rows(published, everyone)
    assert len(few) == len(many) == 3
    assert all(float(str(one[1])) < float(str(other[1])) for one, other in zip(few, many, strict=True))
    by_stage = (
        "SELECT fold, sum(value) FROM model_evaluation_by_segment WHERE metric = 'users'{} GROUP BY fold ORDER BY fold"
    )
    assert rows(published, by_stage.format("")) == many
    assert rows(published, by_stage.format(" AND segment NOT IN ('lost', 'prospect')")) == few
    measured = "SELECT count(DISTINCT metric) FROM model_evaluation WHERE model = 'churn_model' AND population = '{}'"
    assert rows(published, measured.format("eligible")) == [(32,)]
    assert rows(published, measured.format("all")) == [(16,)]


def test_the_metrics_of_a_model_stand_in_its_folder_too(small_shop: SmallShop) -> None:
    champion = ModelRegistry(small_shop.home.registry_file).champion()
    file = small_shop.home.models / str(champion) / "metrics.json"
    kept = json.loads(file.read_text())["metrics"]
    published = rows(
        small_shop.home.published_file,
        "SELECT fold::VARCHAR, population, metric, value, lower, upper FROM model_evaluation"
        f" WHERE model = 'churn_model' AND model_version = '{champion}'",
    )
    assert sorted(map(str, published)) == sorted(str(tuple(row.values())) for row in kept)


def test_the_scores_are_of_the_newest_snapshot_and_explained(small_shop: SmallShop) -> None:
    watermark = Ledger(small_shop.home).watermark()
    assert watermark == date(2025, 7, 30)
    found = rows(
        small_shop.home.published_file,
        "SELECT DISTINCT snapshot_date, scored_by, expires_on FROM churn_scores_latest",
    )
    assert found == [(date(2025, 7, 31), "model", date(2025, 8, 7))]
    unexplained = "SELECT count(*) FROM churn_scores_latest WHERE reason_1_text IS NULL OR reason_3_code IS NULL"
    assert rows(small_shop.home.published_file, unexplained) == [(0,)]
    outside = (
        "SELECT count(*) FROM churn_scores_latest"
        " WHERE user_id NOT IN (SELECT user_id FROM user_profiles WHERE is_eligible)"
    )
    assert rows(small_shop.home.published_file, outside) == [(0,)]


def test_the_list_keeps_to_the_budget_and_is_handed_over(small_shop: SmallShop) -> None:
    arms = dict(rows(small_shop.home.published_file, "SELECT arm, count(*) FROM retention_campaign GROUP BY arm"))
    assert 0 < int(str(arms["treat"])) <= 20
    [file] = small_shop.home.campaigns.glob("*/campaign_list.csv")
    assert len(file.read_text().splitlines()) == 1 + int(str(arms["treat"]))


def test_every_table_that_an_asset_builds_went_through_the_gate(small_shop: SmallShop) -> None:
    gated = {row[0] for row in rows(small_shop.home.published_file, "SELECT DISTINCT table_name FROM quality_results")}
    # raw_events lies in the lake and quality_results is written by the gate itself
    assert gated == default_library().contracts.keys() - {"raw_events", "quality_results"}
    failed = "SELECT table_name, expectation FROM quality_results WHERE status <> 'passed' AND severity = 'critical'"
    assert rows(small_shop.home.published_file, failed) == []


def test_the_lake_accounts_for_every_row_of_the_file(small_shop: SmallShop) -> None:
    [landed] = Ledger(small_shop.home).landed().values()
    read = rows(small_shop.home.published_file, f"SELECT count(*) FROM read_parquet('{small_shop.source}')")
    assert read == [(landed.rows + landed.quarantined,)]
    assert landed.reasons == {"missing user_id": landed.quarantined}
    staged = rows(small_shop.home.warehouse_file, "SELECT count(*), count(DISTINCT event_id) FROM stg_events")
    assert staged[0][0] == staged[0][1]
    assert int(str(staged[0][0])) < landed.rows, "the duplicates that the simulator plants are dropped"


@pytest.mark.lifecycle
def test_a_day_replayed_alone_changes_nothing(shop_copy: SmallShop) -> None:
    before = content(shop_copy.home.warehouse_file)
    outcome = run_job(shop_copy.home, "daily_refresh", date(2025, 5, 5), date(2025, 5, 5))
    assert outcome.succeeded, outcome.failures
    assert content(shop_copy.home.warehouse_file) == before


@pytest.mark.lifecycle
def test_the_same_command_again_changes_nothing(shop_copy: SmallShop) -> None:
    warehouse, published = content(shop_copy.home.warehouse_file), content(shop_copy.home.published_file)
    registry, ledger = shop_copy.home.registry_file.read_text(), shop_copy.home.ledger_file.read_text()
    again = churn(*shop_copy.arguments(), home=shop_copy.home.root)
    assert again.code == 0, again.output
    assert content(shop_copy.home.warehouse_file) == warehouse
    assert content(shop_copy.home.published_file) == published
    assert shop_copy.home.registry_file.read_text() == registry
    assert shop_copy.home.ledger_file.read_text() == ledger


def test_another_source_is_refused(shop_copy: SmallShop) -> None:
    other = shop_copy.home.root.parent / "mapping.toml"
    other.write_text(SIMULATED_MAPPING.read_text().replace('"simulated-shop"', '"another-shop"'))
    refused = churn("run", "--source", shop_copy.source, "--mapping", other, home=shop_copy.home.root)
    assert refused.code == 2
    assert "one home, one shop" in refused.output


@pytest.mark.lifecycle
def test_without_sign_off_the_next_rung_scores_and_the_exit_code_says_so(shop_copy: SmallShop) -> None:
    shop_copy.home.registry_file.unlink()
    unsigned = shop_copy.home.root.parent / "churn.toml"
    unsigned.write_text(shop_copy.definition.read_text().replace("auto_accept = true", "auto_accept = false"))
    arguments = ["run", "--source", shop_copy.source, "--mapping", SIMULATED_MAPPING, "--definition", unsigned]
    ended = churn(*arguments, home=shop_copy.home.root)
    assert ended.code == 1, ended.output
    assert rows(shop_copy.home.published_file, "SELECT DISTINCT scored_by FROM churn_scores_latest") == [("bgnbd",)]
    [(version,)] = rows(
        shop_copy.home.published_file, "SELECT model_version FROM model_registry WHERE event = 'candidate'"
    )
    signed = churn("promote", str(version), "--by", "Ada", "--note", "meets the targets", home=shop_copy.home.root)
    assert signed.code == 0, signed.output
    assert churn(*arguments, home=shop_copy.home.root).code == 0
    assert rows(shop_copy.home.published_file, "SELECT DISTINCT scored_by FROM churn_scores_latest") == [("model",)]
    back = churn("rollback", str(version), "--by", "Ada", "--note", "changed my mind", home=shop_copy.home.root)
    assert back.code == 0, back.output
    assert churn(*arguments, home=shop_copy.home.root).code == 1
    champions = "SELECT event, champion_after FROM model_registry ORDER BY event_id"
    assert rows(shop_copy.home.published_file, champions) == [
        ("candidate", None),
        ("accepted", None),
        ("champion", version),
        ("rolled_back", None),
    ]
