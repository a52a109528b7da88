"""Curves that never rise, known hazards recovered, calibration, and what too little data leave unknown."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from churn_platform.core.metrics import auc, ece
from churn_platform.core.survival import (
    BY_FEATURES,
    BY_RATE,
    DAYS,
    FORECAST_SCHEMA,
    HORIZONS,
    MINIMUM_AT_RISK,
    MINIMUM_OUTCOMES,
    Hazard,
    active_curve,
    churned_by,
    fit_hazards,
    median_days,
    rates_only,
    survival_forecast,
)
from churn_platform.reports.words import words

Floats = NDArray[np.float64]

START = date(2024, 1, 1)
# Of an average customer, for each interval; and what one unit of `silence` adds to the log-odds of each.
HAZARDS = np.array([0.10, 0.15, 0.20, 0.35])
EFFECT = 0.8


def true_hazards(silence: Floats) -> Floats:
    """Shape (customers, intervals)."""
    margin = np.log(HAZARDS / (1 - HAZARDS)) + EFFECT * silence[:, None]
    return np.asarray(1 / (1 + np.exp(-margin)))


def shop(customers: int, seed: int, *, observed: int = 400, at_once: float = 0.4, snapshots: int = 4) -> pl.DataFrame:
    """Customers whose hazards are known, with the feature `silence` that they depend on and one that says nothing.

    The features are logarithms of 1 + x in a model, so x is the exponential of what counts.
    """
    rng = np.random.default_rng(seed)
    silence = rng.normal(size=customers)
    churns = np.column_stack([rng.random(customers) < at_once, rng.random((customers, 4)) < true_hazards(silence)])
    interval = np.where(churns.any(axis=1), churns.argmax(axis=1), -1)
    ends = np.array(DAYS)
    days = [None if place < 0 else int(ends[place]) for place in interval]
    number = np.arange(customers) % snapshots
    return pl.DataFrame(
        {
            "snapshot_date": [START + timedelta(days=30 * int(n)) for n in number],
            "user_id": [f"u{n}" for n in range(customers)],
            "silence": np.expm1(silence + 5),
            "noise": rng.random(customers),
            "days_to_churn": pl.Series(days, dtype=pl.Int64),
            "observed_days": pl.Series([observed] * customers, dtype=pl.Int64),
            "true_silence": silence,
        }
    )


FEATURES = ["silence", "noise"]
WORDS = words("en")


def curve_of(*active: float) -> Floats:
    return np.array([active], dtype=np.float64)


def test_hazards_that_are_known_are_recovered() -> None:
    customers = shop(60_000, seed=1)
    hazards = fit_hazards(customers, FEATURES)
    assert [(hazard.after, hazard.until) for hazard in hazards] == [(0, 30), (30, 60), (60, 90), (90, 180)]
    fresh = shop(4_000, seed=2)
    truth = true_hazards(fresh["true_silence"].to_numpy())
    for hazard, true in zip(hazards, truth.T, strict=True):
        predicted = hazard.predict(fresh)
        error = np.abs(predicted - true).mean()
        assert error < 0.02  # the penalty holds the effect a little below its true size
        assert error < np.abs(hazard.rate - true).mean() / 4
        assert predicted.mean() == pytest.approx(true.mean(), abs=0.01)
        assert hazard.note(WORDS) is None


def test_those_at_risk_are_the_ones_still_active_at_the_start_of_the_interval() -> None:
    """Of 100, 10 churn at once, 20 on day 30, 7 on day 31, 3 on day 60; 60 never, 20 of them seen to day 59 only."""
    days = [0] * 10 + [30] * 20 + [31] * 7 + [60] * 3 + [None] * 60
    observed = [180] * 80 + [59] * 20
    customers = pl.DataFrame(
        {
            "snapshot_date": [START] * 100,
            "days_to_churn": pl.Series(days, dtype=pl.Int64),
            "observed_days": observed,
        }
    )
    first, second, third, last = fit_hazards(customers, [])
    assert (first.at_risk, first.churned) == (90, 20)
    assert first.rate == 20 / 90
    assert (second.at_risk, second.churned) == (50, 10)
    assert (third.at_risk, third.churned, last.at_risk) == (40, 0, 40)


def test_an_outcome_counts_from_the_day_on_which_it_is_known_whole() -> None:
    """Else the early churners of a snapshot would be learnt from, and those who stay would not."""
    customers = shop(1_000, seed=3, observed=29)
    assert fit_hazards(customers, FEATURES)[0].at_risk == 0
    known = customers.with_columns(observed_days=pl.lit(30))
    first, second, *_ = fit_hazards(known, FEATURES)
    assert first.at_risk == int((churned_by(customers, 0) == 0).sum())
    assert second.at_risk == 0


probabilities = st.floats(0, 1)


@given(
    risk=st.lists(probabilities, min_size=1, max_size=5),
    rates=st.lists(st.integers(0, 100), min_size=4, max_size=4),
    known=st.integers(0, 4),
)
def test_a_curve_never_rises_and_begins_at_one_less_the_churn_probability(
    risk: list[float], rates: list[int], known: int
) -> None:
    users = pl.DataFrame({"snapshot_date": [START] * len(risk)})
    hazards = tuple(
        Hazard(after, until, 100 if place < known else 0, rate if place < known else 0, 1, None, None)
        for place, (after, until, rate) in enumerate(zip(DAYS, HORIZONS, rates, strict=False))
    )
    curve = active_curve(np.array(risk), hazards, users)
    assert curve[:, 0].tolist() == [1 - p for p in risk]
    assert np.isnan(curve[:, known + 1 :]).all()
    told = curve[:, : known + 1]
    assert np.isfinite(told).all() and (told >= 0).all()
    assert (np.diff(told, axis=1) <= 0).all()


@given(silence=st.lists(st.floats(0, 1e6), min_size=1, max_size=5), risk=probabilities)
def test_the_curve_of_fitted_hazards_never_rises_either(silence: list[float], risk: float) -> None:
    users = pl.DataFrame({"snapshot_date": [START] * len(silence), "silence": silence, "noise": [0.0] * len(silence)})
    curve = active_curve(np.full(len(silence), risk), FITTED, users)
    assert (np.diff(curve, axis=1) <= 0).all() and (curve >= 0).all() and (curve <= 1).all()


FITTED = fit_hazards(shop(2_000, seed=4), FEATURES)


def test_probabilities_are_calibrated_for_each_horizon_and_tell_customers_apart() -> None:
    fresh = shop(8_000, seed=5)
    curve = active_curve(np.full(fresh.height, 0.4), fit_hazards(shop(20_000, seed=6), FEATURES), fresh)
    for place, days in enumerate(DAYS[1:], start=1):
        outcome, probability = churned_by(fresh, days), 1 - curve[:, place]
        assert ece(outcome, probability) < 0.03
        assert auc(outcome, probability) > 0.54  # day 0, the same chance for everybody here, hides the most


def test_the_same_share_for_everybody_is_the_kaplan_meier_curve() -> None:
    customers = shop(3_000, seed=7)
    at_once = churned_by(customers, 0).mean()
    curve = active_curve(np.full(1, at_once), rates_only(fit_hazards(customers, FEATURES)), customers[:1])
    assert curve[0].tolist() == pytest.approx([1 - churned_by(customers, days).mean() for days in DAYS])


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        (curve_of(0.9, 0.8, 0.5, 0.4, 0.3), 60.0),
        (curve_of(0.5, 0.4, 0.3, 0.2, 0.1), 0.0),
        (curve_of(0.2, 0.1, 0.1, 0.1, 0.1), 0.0),
        (curve_of(1.0, 0.25, 0.2, 0.2, 0.2), 15.0),
        (curve_of(1.0, 1.0, 1.0, 2**-0.5, 2**-1.5), 135.0),
        (curve_of(1.0, 0.9, 0.8, 0.7, 0.51), None),
        (curve_of(1.0, 0.9, np.nan, np.nan, np.nan), None),
        (curve_of(1.0, 0.4, np.nan, np.nan, np.nan), 30 * np.log(0.5) / np.log(0.4)),
        (curve_of(1.0, 1.0, 0.0, 0.0, 0.0), 30 + 30 * np.log(0.5) / np.log(1e-9)),
        (curve_of(0.5, np.nan, np.nan, np.nan, np.nan), 0.0),
    ],
    ids=[
        "on a horizon", "at once, exactly", "at once", "log-linear: a quarter after 30 days is one half after 15",
        "log-linear, the middle of the last interval", "later than the last", "later than the last known",
        "before the unknown", "all gone within an interval", "at once, nothing else known",
    ],
)  # fmt: skip
def test_the_median_is_where_the_curve_falls_to_one_half(curve: Floats, expected: float | None) -> None:
    [found] = median_days(curve)
    assert np.isnan(found) if expected is None else found == pytest.approx(expected)


def test_too_few_customers_leave_a_horizon_and_all_after_it_unknown_with_a_reason() -> None:
    old = shop(MINIMUM_AT_RISK * 4, seed=8, at_once=0.0)
    customers = old.with_columns(
        observed_days=pl.when(pl.int_range(pl.len()) < MINIMUM_AT_RISK - 1).then(60).otherwise(30)
    )
    hazards = fit_hazards(customers, FEATURES)
    assert hazards[0].known and not hazards[1].known and not hazards[3].known
    forecast = survival_forecast(customers[:3], np.full(3, 0.1), hazards, starts_on=START, words=WORDS)
    assert forecast["active_30d"].null_count() == 0
    assert [forecast[f"active_{days}d"].null_count() for days in (60, 90, 180)] == [3, 3, 3]
    assert forecast["median_churn_date"].null_count() == 3
    reason = forecast["reason"][0]
    assert f"customers to learn from, of {MINIMUM_AT_RISK} at least" in reason
    assert "days 90 to 180: no snapshot is old enough to know who churned by then" in reason


def test_no_history_at_all_leaves_the_churn_probability_alone() -> None:
    forecast = survival_forecast(
        shop(2, seed=9),
        np.array([0.2, 0.7]),
        fit_hazards(shop(4, seed=9).clear(), FEATURES),
        starts_on=START,
        words=WORDS,
    )
    assert forecast["active_0d"].to_list() == pytest.approx([0.8, 0.3])
    assert forecast["active_30d"].null_count() == 2
    assert forecast["median_churn_date"].to_list() == [None, START]
    assert forecast["forecast_by"].unique().to_list() == [BY_RATE]


@pytest.mark.parametrize("churned", [0, MINIMUM_OUTCOMES - 1, 1_000 - MINIMUM_OUTCOMES + 1, 1_000])
def test_an_interval_with_one_outcome_or_nearly_so_gives_everybody_the_share(churned: int) -> None:
    """1,000 customers, of whom so many churn on day 45."""
    customers = shop(1_000, seed=10).with_columns(
        days_to_churn=pl.when(pl.int_range(pl.len()) < churned).then(pl.lit(45)).otherwise(None)
    )
    first, second, *_ = fit_hazards(customers, FEATURES)
    assert first.predict(customers[:3]).tolist() == [0.0] * 3
    assert second.predict(customers[:3]).tolist() == [churned / 1_000] * 3
    assert second.note(WORDS) == f"days 30 to 60: {churned} of 1000 churned, the same share for everybody"


def test_features_that_never_vary_give_everybody_the_share_too() -> None:
    customers = shop(1_000, seed=15).with_columns(silence=pl.lit(3.0), noise=pl.lit(None, pl.Float64))
    hazard = fit_hazards(customers, FEATURES)[0]
    assert hazard.churned >= MINIMUM_OUTCOMES
    assert hazard.predict(customers[:2]).tolist() == [hazard.rate] * 2


def test_the_rows_of_the_table() -> None:
    users = shop(5, seed=11)
    risk = np.array([0.0, 0.1, 0.3, 0.5, 1.0])
    starts_on = START + timedelta(days=3)
    forecast = survival_forecast(users, risk, FITTED, starts_on=starts_on, words=WORDS)
    assert dict(forecast.schema) == FORECAST_SCHEMA
    assert forecast["user_id"].to_list() == users["user_id"].to_list()
    assert forecast["forecast_by"].unique().to_list() == [BY_FEATURES]
    assert forecast["reason"].null_count() == 5
    curve = active_curve(risk, FITTED, users)
    assert forecast["active_180d"].to_list() == curve[:, 4].tolist()
    assert forecast["median_churn_date"].to_list()[3:] == [starts_on, starts_on]
    days = np.ceil(median_days(curve))[:3]
    expected = [None if np.isnan(day) else starts_on + timedelta(days=int(day)) for day in days]
    assert forecast["median_churn_date"].to_list()[:3] == expected


def test_the_season_moves_the_hazards_as_it_does_the_churn_model() -> None:
    """Twice as many churn in the first of four snapshots; a year later its hazards lie above those of the others."""
    calm, stormy = shop(2_000, seed=12, snapshots=1), shop(2_000, seed=13, snapshots=1)
    storm = pl.when(pl.col("days_to_churn").is_null()).then(pl.lit(20)).otherwise("days_to_churn")
    customers = pl.concat(
        [
            stormy.with_columns(days_to_churn=storm),
            *(calm.with_columns(snapshot_date=pl.lit(START + timedelta(days=90 * n))) for n in (1, 2, 3)),
        ]
    )
    hazard = fit_hazards(customers, FEATURES)[0]
    users = shop(1, seed=14)
    then, later = START + timedelta(days=365), START + timedelta(days=365 + 180)
    stormy_again, calm_again = (
        hazard.predict(users.with_columns(snapshot_date=pl.lit(day)))[0] for day in (then, later)
    )
    assert stormy_again > 2 * calm_again


def test_hazards_keep_their_level_where_a_feature_grows_with_the_history() -> None:
    """The same customers at six snapshots; the tenure that tells them apart is longer at each of them for all."""
    customers = shop(6_000, seed=15, snapshots=1).rename({"noise": "recency_days"})
    snapshots = [
        customers.with_columns(
            snapshot_date=pl.lit(START + timedelta(days=30 * n)),
            tenure=(5 + 0.3 * n - pl.col("true_silence")).exp() - 1,
        )
        for n in range(6)
    ]
    for hazard in fit_hazards(pl.concat(snapshots), ["recency_days", "tenure"]):
        assert hazard.season is not None
        assert hazard.season.level > 0.1
        at_risk = [users.filter((pl.col("days_to_churn") > hazard.after).fill_null(value=True)) for users in snapshots]
        latest = np.mean([hazard.predict(users).mean() for users in at_risk[-3:]])
        assert latest == pytest.approx(hazard.rate, abs=0.001)
