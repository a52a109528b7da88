from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from churn_platform.errors import UsageError
from churn_platform.simulator.customers import LEAVING_SHARE
from churn_platform.simulator.seasons import Calendar
from churn_platform.simulator.shop import SimulatedChunk
from churn_platform.simulator.truth import observed_churn, true_churn_probability

SNAPSHOTS = [date(2025, 1, 1), date(2025, 4, 1), date(2025, 7, 1), date(2025, 10, 1)]
Event = tuple[str, datetime, bool]


def at(day: date, hours: float = 0.0) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hours)


def one_customer(events: list[Event], **truth: float) -> SimulatedChunk:
    """A shop of one customer C: events are (action, moment, bad outcome)."""
    parameters = {"hazard": 1 / 300, "mean_gap_days": 30.0, "regularity": 1.0, "support_rate": 0.003} | truth
    return SimulatedChunk(
        pl.DataFrame(
            {
                "customer": ["C"] * len(events),
                "action": [action for action, _, _ in events],
                "occurred_at": [moment for _, moment, _ in events],
                "attributes": ['{"outcome": "unresolved"}' if bad else '{"outcome": "resolved"}' for *_, bad in events],
            },
            schema_overrides={"occurred_at": pl.Datetime("us", "UTC")},
        ),
        pl.DataFrame({"user_id": ["C"], **{name: [value] for name, value in parameters.items()}}),
    )


def probability(chunk: SimulatedChunk, snapshot: date, horizon_days: int = 90) -> float:
    return float(true_churn_probability(chunk, snapshot, horizon_days)["probability"].item())


def predicted_and_actual(shop: SimulatedChunk) -> pl.DataFrame:
    """Eligible customers of all snapshots: probability, churned."""
    return pl.concat(
        observed_churn(shop, day).join(true_churn_probability(shop, day), on="user_id", how="left") for day in SNAPSHOTS
    )


def largest_decile_gap(scored: pl.DataFrame) -> float:
    decile = (pl.col("probability").rank("ordinal") * 10 / (pl.len() + 1)).floor().alias("decile")
    gaps = scored.group_by(decile).agg(pl.col("probability").mean() - pl.col("churned").mean())
    return float(np.abs(gaps["probability"].to_numpy()).max())


@pytest.fixture(scope="module")
def scored(shop: SimulatedChunk) -> pl.DataFrame:
    return predicted_and_actual(shop)


@pytest.mark.parametrize("snapshot", SNAPSHOTS)
def test_base_rate_lies_between_25_and_45_percent(shop: SimulatedChunk, snapshot: date) -> None:
    outcome = observed_churn(shop, snapshot)
    assert outcome.height > 1_500
    assert 0.25 <= outcome["churned"].mean() <= 0.45  # type: ignore[operator]


def test_probabilities_are_calibrated_in_every_decile(scored: pl.DataFrame) -> None:
    assert scored["probability"].null_count() == 0
    assert largest_decile_gap(scored) < 0.05
    assert scored["probability"].mean() == pytest.approx(scored["churned"].mean(), abs=0.015)


def test_forgetting_that_customers_may_have_left_is_not_calibrated(shop: SimulatedChunk) -> None:
    immortal = replace(shop, truth=shop.truth.with_columns(hazard=pl.lit(1e-9)))
    assert largest_decile_gap(predicted_and_actual(immortal)) > 0.15


def test_the_best_scorer_ranks_well_but_not_perfectly(scored: pl.DataFrame) -> None:
    assert 0.80 <= roc_auc_score(scored["churned"], scored["probability"]) <= 0.88


@settings(max_examples=6, deadline=None)
@given(st.dates(date(2024, 10, 1), date(2025, 10, 1)), st.integers(1, 120), st.integers(1, 120))
def test_probabilities_are_shares_that_fall_with_the_horizon(
    shop: SimulatedChunk, snapshot: date, horizon: int, longer: int
) -> None:
    few = SimulatedChunk(shop.events.filter(pl.col("customer") < "C00000300"), shop.truth.head(300))
    near = true_churn_probability(few, snapshot, horizon)["probability"]
    far = true_churn_probability(few, snapshot, horizon + longer)["probability"]
    assert near.is_between(0, 1).all() and far.is_between(0, 1).all()
    assert (far <= near + 1e-4).all()


@settings(max_examples=6, deadline=None)
@given(st.dates(date(2024, 10, 1), date(2025, 10, 1)))
def test_nothing_at_or_after_the_snapshot_matters(shop: SimulatedChunk, snapshot: date) -> None:
    events = shop.events.filter(pl.col("customer") < "C00000300")
    whole = SimulatedChunk(events, shop.truth.head(300))
    known = SimulatedChunk(events.filter(pl.col("occurred_at") < at(snapshot)), shop.truth.head(300))
    assert true_churn_probability(whole, snapshot).equals(true_churn_probability(known, snapshot))


def test_without_death_and_contacts_it_is_the_gaps_own_law() -> None:
    """Exponential gaps forget the silence: P = exp(-demand of the horizon / mean gap)."""
    bought, snapshot = date(2025, 1, 10), date(2025, 2, 1)
    chunk = one_customer([("purchase", at(bought), False)], hazard=1e-12, support_rate=0.0)
    demand = Calendar(snapshot, 30).demand(np.array([30.0]))[0]
    assert probability(chunk, snapshot, 30) == pytest.approx(np.exp(-demand / 30), abs=1e-6)


def test_it_agrees_with_a_monte_carlo_of_the_law() -> None:
    bought, snapshot, horizon = date(2025, 1, 10), date(2025, 2, 20), 60
    hazard, mean_gap, shape, support = 1 / 200, 60.0, 2.0, 0.05
    chunk = one_customer(
        [("purchase", at(bought, 12), False), ("support_contact", at(bought, 732), True)],
        hazard=hazard, mean_gap_days=mean_gap, regularity=shape, support_rate=support,
    )  # fmt: skip
    calendar = Calendar(bought, 200)
    rng, size = np.random.default_rng(11), 400_000
    seen, cut = 30.5, float((snapshot - bought).days)
    gap = rng.gamma(shape, mean_gap / shape, size)
    next_purchase = calendar.from_demand(calendar.demand(np.array([0.5])) + gap)
    by_hazard = calendar.from_risk(calendar.risk(np.array([seen])) + rng.exponential(1 / hazard, size))
    death = np.where(rng.random(size) < LEAVING_SHARE, seen, by_hazard)
    contact = seen + rng.exponential(1 / support, size)
    bad_exit = cut + rng.exponential(1 / (support * 0.35 * LEAVING_SHARE), size)
    silent = (next_purchase > np.minimum(death, cut)) & (next_purchase > seen) & (contact > np.minimum(death, cut))
    end = np.minimum(np.where(death > cut, np.minimum(death, bad_exit), death), cut + horizon)
    lost = (next_purchase > end)[silent].mean()
    assert silent.sum() > 50_000
    assert probability(chunk, snapshot, horizon) == pytest.approx(lost, abs=0.005)


def test_silence_is_bad_news_and_worse_for_the_regular() -> None:
    events: list[Event] = [("purchase", at(date(2025, 1, 1)), False)]
    irregular, regular = one_customer(events, regularity=0.7), one_customer(events, regularity=4.0)
    for chunk in (irregular, regular):
        assert probability(chunk, date(2025, 6, 1)) > probability(chunk, date(2025, 1, 20))
    assert probability(regular, date(2025, 6, 1)) > probability(irregular, date(2025, 6, 1))


def test_a_bad_contact_raises_and_a_good_one_lowers_the_probability() -> None:
    purchase: Event = ("purchase", at(date(2025, 1, 1)), False)
    later = at(date(2025, 2, 15))
    alone, good, bad = (
        probability(one_customer([purchase, *more]), date(2025, 3, 1))
        for more in ([], [("support_contact", later, False)], [("support_contact", later, True)])
    )
    assert good < alone < bad


def test_a_purchase_after_the_bad_contact_forgives_it() -> None:
    contact: Event = ("support_contact", at(date(2025, 1, 1)), True)
    purchase: Event = ("purchase", at(date(2025, 1, 10)), False)
    forgiven, never = one_customer([contact, purchase]), one_customer([purchase])
    assert probability(forgiven, date(2025, 2, 1)) == pytest.approx(probability(never, date(2025, 2, 1)))


def test_customers_without_a_purchase_before_the_snapshot_are_left_out() -> None:
    chunk = one_customer([("purchase", at(date(2025, 1, 10)), False)])
    assert true_churn_probability(chunk, date(2025, 1, 10)).is_empty()
    assert true_churn_probability(chunk, date(2025, 1, 11)).height == 1


def test_a_horizon_below_one_day_is_refused() -> None:
    with pytest.raises(UsageError, match="horizon_days=0"):
        true_churn_probability(one_customer([("purchase", at(date(2025, 1, 10)), False)]), date(2025, 2, 1), 0)


@pytest.mark.parametrize(
    ("moments", "churned"),
    [
        ([at(date(2025, 6, 1)) - timedelta(days=180)], True),
        ([at(date(2025, 6, 1)) - timedelta(days=180, seconds=1)], None),
        ([at(date(2025, 5, 1)), at(date(2025, 6, 1))], False),
        ([at(date(2025, 5, 1)), at(date(2025, 6, 1)) + timedelta(days=90)], True),
        ([at(date(2025, 5, 1)), at(date(2025, 6, 1)) + timedelta(days=90, seconds=-1)], False),
        ([at(date(2025, 6, 1))], None),
    ],
)
def test_the_outcome_is_half_open_at_every_edge(moments: list[datetime], churned: bool | None) -> None:
    outcome = observed_churn(one_customer([("purchase", moment, False) for moment in moments]), date(2025, 6, 1))
    assert outcome["churned"].to_list() == ([] if churned is None else [churned])
