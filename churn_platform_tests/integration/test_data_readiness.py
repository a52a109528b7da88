"""The data-readiness gate through real materialisation: what it counts, what it stops, and what it leaves behind."""

import json
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from churn_platform.core.data_readiness import RULES, Examples, Figures, Gap
from churn_platform.definitions import defs
from churn_platform.defs.automation import TRAINING_STEPS
from churn_platform.lake.landing import place, waiting
from churn_platform.orchestration.arrivals import expect
from churn_platform.orchestration.readiness import figures_of
from churn_platform.orchestration.shop import Shop
from churn_platform.reports.data_readiness import PAGE, RECORD, read_report
from churn_platform.settings import Home, environment
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import SIMULATED_MAPPING, churn, materialise, rows

pytestmark = pytest.mark.lifecycle

# Purchases of ann on every day, of bob on one, of cat on two: one of them at the very midnight that opens a snapshot.
EVENTS = """id,customer,at,what,kind,quantity,price,order_number
""" + "".join(f"a{day},ann,2025-03-{day:02} 10:00:00,purchase,,1,5.00,\n" for day in range(1, 13)) + """\
b2,bob,2025-03-02 10:00:00,purchase,,1,,
c6,cat,2025-03-06 10:00:00,purchase,,1,5.00,
c8,cat,2025-03-08 00:00:00,purchase,,1,5.00,
v1,dan,2025-03-12 00:00:00,view,toys,,,
v2,dan,2025-03-12 23:59:59,view,,,,
a1,ann,2025-03-01 10:00:00,purchase,,1,5.00,
a2,ann,2025-03-02 10:00:00,purchase,,1,5.00,
n1,,2025-03-03 10:00:00,purchase,,1,5.00,
n2,,2025-03-03 10:00:00,purchase,,1,5.00,
n3,,2025-03-03 10:00:00,view,,,,
f1,ann,2025-03-21 05:00:01,view,,,,
e1,ann,1970-01-01 00:00:00,view,,,,
e2,ann,1989-12-31 23:59:59,view,,,,
u1,ann,yesterday,view,,,,
t1,ann,2025-03-03 10:00:00,,,,,
"""  # fmt: skip
MAPPING = """
[source]
name = "tiny"
max_rejected_share = 0.9
[columns]
event_id = "id"
user_id = "customer"
event_time = "at"
event_type = "what"
category = "kind"
quantity = "quantity"
unit_price = "price"
order_id = "order_number"
"""
DEFINITION = """
[churn]
lookback_days = 4
horizon_days = 3
training_cadence_days = 2
[readiness]
minimum_churned = 2
minimum_retained = 3
"""
TABLES = ["raw_events", "stg_events", "dim_users", "user_days", "churn_labels", "event_weeks", "data_readiness"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, dg.ExecuteInProcessResult]:
    """The hand-made log, loaded as history on 2025-03-20 at 05:00 and judged."""
    folder = tmp_path_factory.mktemp("tiny")
    home = Home(folder / "home").create()
    home.mapping_file.write_text(MAPPING)
    home.definition_file.write_text(DEFINITION)
    source = folder / "events.csv"
    source.write_text(EVENTS)
    place([source], home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHURN_HOME", str(home.root))
        patch.setenv("DAGSTER_HOME", str(home.dagster))
        patch.setenv("CHURN_NOW", "2025-03-20T05:00:00+00:00")
        return home, materialise(home, TABLES, *expect(home, waiting(home), environment().current_time()))


def test_the_figures_are_those_counted_by_hand(tiny: tuple[Home, dg.ExecuteInProcessResult]) -> None:
    """At snapshot 2025-03-06 bob stays away and ann comes back; at 2025-03-08 ann and, at its midnight, cat do."""
    home, _ = tiny
    shop = Shop(home_folder=str(home.root))
    with shop.warehouse() as connection:
        found = figures_of(shop, connection)
    assert found == Figures(
        first_day=date(2025, 3, 1),
        watermark=date(2025, 3, 11),
        folds=0,
        churned=Examples(1, 1),
        retained=Examples(3, 2),
        activity_types=("purchase",),
        event_types=("purchase", "view"),
        last_activity=date(2025, 3, 12),
        records=27,
        landed=19,
        staged=17,
        without_user=3,
        too_early=2,
        in_future=1,
        at_midnight=2,
        gaps=(
            Gap("event_time", "rows", 1, 27),
            Gap("event_type", "rows", 1, 27),
            Gap("category", "other events", 1, 2),
            Gap("quantity", "activities", 0, 15),
            Gap("unit_price", "activities", 1, 15),
            Gap("order_id", "activities", 15, 15),
        ),
    )


def test_each_rule_is_a_check_that_fails_warns_or_passes(tiny: tuple[Home, dg.ExecuteInProcessResult]) -> None:
    home, ended = tiny
    assert [event.step_key for event in ended.all_events if event.is_step_failure] == ["data_readiness_rules"]
    checks = {check.check_name: check for check in ended.get_asset_check_evaluations() if check.check_name in RULES}
    assert checks.keys() == RULES.keys()
    shown = {
        name: "pass" if check.passed else "fail" if check.severity == dg.AssetCheckSeverity.ERROR else "warn"
        for name, check in checks.items()
    }
    assert shown == {
        "history_length": "fail",
        "out_of_time_test": "fail",
        "churned_examples": "fail",
        "retained_examples": "warn",
        "recent_activity": "pass",
        "filled_fields": "fail",
        "known_users": "warn",
        "duplicates": "warn",
        "clock": "fail",
        "times_of_day": "pass",
    }
    assert checks["known_users"].metadata["observed"].value == "11.1 % (3 of 27) rows without a customer"
    assert dict(rows(home.warehouse_file, "SELECT rule, verdict FROM data_readiness")) == shown


def test_the_table_and_its_report_stand_although_rules_fail(tiny: tuple[Home, dg.ExecuteInProcessResult]) -> None:
    home, ended = tiny
    [made] = ended.asset_materializations_for_node("data_readiness")
    assert made.metadata["report"].value == str(home.reports / PAGE)
    report = read_report(home.reports)
    assert report.verdict == "fail"
    assert [(week.start, week.events, week.activities) for week in report.weeks] == [
        (date(2025, 2, 24), 3, 3),
        (date(2025, 3, 3), 9, 9),
        (date(2025, 3, 10), 5, 3),
    ]
    record = json.loads((home.reports / RECORD).read_text())
    assert [found["rule"] for found in record["verdicts"]] == list(RULES)


def test_the_daily_refresh_judges_nothing_and_the_full_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_HOME", str(tmp_path))
    steps = {name: set(defs().resolve_job_def(name).graph.node_dict) for name in ("full_refresh", "daily_refresh")}
    assert steps["full_refresh"] - steps["daily_refresh"] == TRAINING_STEPS
    assert steps["daily_refresh"] < steps["full_refresh"]


def test_a_ready_shop_says_so(small_shop: SmallShop) -> None:
    told = churn("readiness", home=small_shop.home.root)
    assert told.code == 0, told.output
    assert told.output.startswith("Ready: data from 2025-01-01 to 2025-07-30")
    assert all(rule in told.output for rule in RULES)
    assert "data readiness" in small_shop.run.output and PAGE in small_shop.run.output
    verdicts = "SELECT DISTINCT verdict FROM data_readiness"
    assert rows(small_shop.home.published_file, verdicts) == [("pass",)]


def test_data_that_are_no_longer_ready_train_nothing_and_the_champion_goes_on(shop_copy: SmallShop) -> None:
    before = rows(shop_copy.home.published_file, "SELECT count(DISTINCT run_id) FROM quality_results")
    registry = shop_copy.home.registry_file.read_text()
    stricter = shop_copy.home.root.parent / "churn.toml"
    stricter.write_text(shop_copy.definition.read_text().replace("minimum_churned = 100", "minimum_churned = 100000"))
    ended = churn(
        "run", "--source", shop_copy.source, "--mapping", SIMULATED_MAPPING, "--definition", stricter,
        home=shop_copy.home.root,
    )  # fmt: skip
    assert ended.code == 1, ended.output
    assert "data_readiness_rules failed: The data are not ready" in ended.output
    assert "at least 100,000 examples" in ended.output and "lower minimum_churned" in ended.output
    assert "check not met: data_readiness.churned_examples" in ended.output
    assert shop_copy.home.registry_file.read_text() == registry
    published = shop_copy.home.published_file
    assert rows(published, "SELECT DISTINCT scored_by FROM churn_scores_latest") == [("model",)]
    assert rows(published, "SELECT rule FROM data_readiness WHERE verdict = 'fail'") == [("churned_examples",)]
    trained = (
        "SELECT table_name, count(DISTINCT run_id) FROM quality_results WHERE table_name IN"
        " ('data_readiness', 'training_set', 'model_evaluation', 'churn_scores') GROUP BY table_name ORDER BY 1"
    )
    assert before == [(1,)]
    assert rows(published, trained) == [
        ("churn_scores", 2),
        ("data_readiness", 2),
        ("model_evaluation", 1),
        ("training_set", 1),
    ]
    told = churn("readiness", home=shop_copy.home.root)
    assert told.code == 1, told.output
    assert told.output.startswith("Not ready: no model is trained")


def test_where_nothing_has_been_built_the_command_says_what_to_run(tmp_path: Path) -> None:
    told = churn("readiness", home=tmp_path)
    assert told.code == 2
    assert "no data-readiness report yet" in told.output and "churn run" in told.output


def test_the_rules_alone_say_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "home").create()
    monkeypatch.setenv("CHURN_HOME", str(home.root))
    with DagsterInstance.ephemeral() as instance:
        ended = (
            defs()
            .resolve_implicit_global_asset_job_def()
            .get_subset(asset_check_selection={dg.AssetCheckKey(dg.AssetKey("data_readiness"), rule) for rule in RULES})
            .execute_in_process(instance=instance, raise_on_error=False)
        )
    [failure] = [event for event in ended.all_events if event.is_step_failure]
    assert "Materialise data_readiness" in str(failure.step_failure_data.error)
