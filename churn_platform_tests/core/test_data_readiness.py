"""Each rule of the data readiness both ways, at its very edge."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.core.data_readiness import RULES, Examples, Figures, Gap, Limits, RuleVerdict, judge, worst
from churn_platform.core.snapshots import Windows

WINDOWS = Windows(lookback=180, lead=0, horizon=90, grace=7, cadence=30)
LIMITS = Limits(
    minimum_churned=500,
    minimum_retained=500,
    active_within_days=30,
    maximum_missing_share=0.2,
    maximum_unknown_user_share=0.5,
    maximum_duplicate_share=0.5,
    maximum_clock_error_share=0.05,
)
END = date(2025, 1, 1)  # the day after the watermark
GOOD = Figures(
    first_day=date(2023, 1, 1),
    watermark=END - timedelta(days=1),
    folds=3,
    churned=Examples(900, 700),
    retained=Examples(2000, 800),
    activity_types=("purchase",),
    event_types=("purchase", "view"),
    last_activity=date(2024, 12, 31),
    records=10_000,
    landed=9_990,
    staged=9_980,
    without_user=10,
    too_early=0,
    in_future=0,
    at_midnight=0,
    gaps=(Gap("event_time", "rows", 0, 10_000), Gap("unit_price", "activities", 0, 4_000)),
)


def verdict_on(rule: str, windows: Windows = WINDOWS, limits: Limits = LIMITS, **observed: Any) -> RuleVerdict:
    [found] = [found for found in judge(replace(GOOD, **observed), windows, limits) if found.rule == rule]
    return found


def test_good_data_pass_every_rule_in_order_and_need_no_advice() -> None:
    verdicts = judge(GOOD, WINDOWS, LIMITS)
    assert [found.rule for found in verdicts] == list(RULES)
    assert {(found.verdict, found.advice) for found in verdicts} == {("pass", "")}
    assert all(found.observed and found.threshold for found in verdicts)
    assert worst(verdicts) == "pass"


@pytest.mark.parametrize(("windows", "needed"), [
    (WINDOWS, 270),  # 180 + 90, and 3 × 90
    (replace(WINDOWS, lookback=10, horizon=5), 35),  # max(30, 10) + 5
    (replace(WINDOWS, lookback=60, lead=7, horizon=30), 97),
    (replace(WINDOWS, lookback=30, horizon=90), 270),  # 3 × 90 is more than 30 + 90
])  # fmt: skip
def test_the_history_must_reach_over_its_windows(windows: Windows, needed: int) -> None:
    enough = verdict_on("history_length", windows, first_day=END - timedelta(days=needed))
    short = verdict_on("history_length", windows, first_day=END - timedelta(days=needed - 1))
    assert (enough.verdict, short.verdict) == ("pass", "fail")
    assert enough.observed.startswith(f"{needed} days (")
    assert f"At least {needed} days of history are needed" in short.advice and "shorten" in short.advice


def test_a_snapshot_must_be_left_to_test_on() -> None:
    assert verdict_on("out_of_time_test", folds=1).verdict == "pass"
    none = verdict_on("out_of_time_test", folds=0)
    assert none.verdict == "fail"
    assert "About 390 days of history are needed" in none.advice


@pytest.mark.parametrize("outcome", ["churned", "retained"])
@pytest.mark.parametrize(("rows", "customers", "level"), [
    (500, 500, "pass"), (500, 499, "warn"), (499, 499, "fail"), (0, 0, "fail"),
])  # fmt: skip
def test_examples_of_either_outcome_must_be_enough(outcome: str, rows: int, customers: int, level: str) -> None:
    found = verdict_on(f"{outcome}_examples", **{outcome: Examples(rows, customers)})
    assert found.verdict == level
    assert found.observed == f"{rows} {outcome} examples of {customers} customers"
    if level == "fail":
        assert f"lower minimum_{outcome} under [readiness]" in found.advice


def test_a_small_shop_may_ask_for_fewer_examples() -> None:
    lower = replace(LIMITS, minimum_churned=40)
    assert verdict_on("churned_examples", limits=lower, churned=Examples(40, 40)).verdict == "pass"
    assert verdict_on("retained_examples", limits=lower, retained=Examples(40, 40)).verdict == "fail"


@pytest.mark.parametrize(("last", "level"), [
    (END, "pass"),  # the day after the watermark may have begun
    (END - timedelta(days=30), "pass"),
    (END - timedelta(days=31), "fail"),
])  # fmt: skip
def test_an_activity_must_fall_into_the_last_days_of_data(last: date, level: str) -> None:
    found = verdict_on("recent_activity", last_activity=last)
    assert found.verdict == level
    assert str(last) in found.observed and "2024-12-02" in found.threshold


def test_without_any_activity_the_types_that_exist_are_named() -> None:
    found = verdict_on("recent_activity", last_activity=None, event_types=("bought", "view"))
    assert found.verdict == "fail"
    assert "(purchase)" in found.advice and "bought, view" in found.advice


@pytest.mark.parametrize(("gap", "level"), [
    (Gap("unit_price", "activities", 199, 1000), "pass"),
    (Gap("unit_price", "activities", 200, 1000), "fail"),
    (Gap("unit_price", "other events", 1000, 1000), "warn"),
    (Gap("category", "activities", 199, 1000), "pass"),
    (Gap("category", "activities", 200, 1000), "warn"),
    (Gap("event_time", "rows", 199, 1000), "pass"),
    (Gap("event_time", "rows", 200, 1000), "fail"),
    (Gap("order_id", "activities", 0, 0), "pass"),
])  # fmt: skip
def test_a_mapped_field_must_hold_values(gap: Gap, level: str) -> None:
    found = verdict_on("filled_fields", gaps=(*GOOD.gaps, gap))
    assert found.verdict == level
    assert found.observed == "nothing is missing" if not gap.missing else gap.field in found.observed


def test_the_widest_gaps_are_named_first_and_the_rest_counted() -> None:
    many = tuple(Gap(f"field_{share}", "activities", share, 100) for share in (20, 30, 40, 50, 60, 70))
    found = verdict_on("filled_fields", gaps=(*GOOD.gaps, *many))
    assert found.observed.startswith("missing: field_70 in 70 % of activities; field_60 in 60 %")
    assert found.observed.endswith("; and 1 more")


@pytest.mark.parametrize(("without", "level"), [(500, "pass"), (501, "warn"), (5_000, "warn"), (5_001, "fail")])
def test_rows_without_a_customer_are_noted_and_then_stop(without: int, level: str) -> None:
    assert verdict_on("known_users", without_user=without).verdict == level


def test_a_quarter_of_guests_is_a_warning() -> None:
    found = verdict_on("known_users", without_user=2_330)
    assert found.verdict == "warn"
    assert found.observed == "23.3 % (2,330 of 10,000) rows without a customer"


@pytest.mark.parametrize(("staged", "level"), [(950, "pass"), (949, "warn"), (500, "warn"), (499, "fail")])
def test_copies_are_noted_and_then_stop(staged: int, level: str) -> None:
    found = verdict_on("duplicates", landed=1_000, staged=staged)
    assert found.verdict == level
    assert level == "pass" or "event_id" in found.advice


@pytest.mark.parametrize(("too_early", "in_future", "level"), [
    (0, 0, "pass"), (1, 0, "warn"), (0, 1, "warn"), (250, 250, "warn"), (250, 251, "fail"), (501, 0, "fail"),
])  # fmt: skip
def test_any_wrong_clock_is_noted_and_many_stop(too_early: int, in_future: int, level: str) -> None:
    found = verdict_on("clock", too_early=too_early, in_future=in_future)
    assert found.verdict == level
    assert f"{in_future} in the future, {too_early} before 1990" in found.observed


@pytest.mark.parametrize(("at_midnight", "level"), [(9_480, "pass"), (9_481, "warn"), (9_980, "warn")])
def test_dates_without_a_time_of_day_are_noted_and_never_stop(at_midnight: int, level: str) -> None:
    assert verdict_on("times_of_day", at_midnight=at_midnight).verdict == level


def test_the_worst_verdict_counts() -> None:
    good, noted, stopped = (RuleVerdict("clock", level, "", "", "") for level in ("pass", "warn", "fail"))
    assert worst([good, noted, good]) == "warn"
    assert worst([noted, stopped, good]) == "fail"


ORDER = {"pass": 0, "warn": 1, "fail": 2}
COUNT = st.integers(0, 10_000)


@given(
    rule_and_field=st.sampled_from([("known_users", "without_user"), ("clock", "too_early"), ("clock", "in_future")]),
    less=COUNT,
    more=COUNT,
)
def test_more_bad_rows_never_make_a_verdict_better(rule_and_field: tuple[str, str], less: int, more: int) -> None:
    rule, field = rule_and_field
    better, worse = sorted((less, more))
    assert ORDER[verdict_on(rule, **{field: better}).verdict] <= ORDER[verdict_on(rule, **{field: worse}).verdict]


@given(days=st.integers(1, 1000), more=st.integers(0, 500), lookback=st.integers(1, 400), horizon=st.integers(1, 200))
def test_a_longer_history_never_makes_the_verdict_worse(days: int, more: int, lookback: int, horizon: int) -> None:
    windows = replace(WINDOWS, lookback=lookback, horizon=horizon)
    short, long = (
        verdict_on("history_length", windows, first_day=END - timedelta(days=count)) for count in (days, days + more)
    )
    assert ORDER[long.verdict] <= ORDER[short.verdict]
    assert (short.verdict == "pass") == (days >= max(30, lookback) + horizon and days >= 3 * horizon)
