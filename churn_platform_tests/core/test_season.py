from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.core.season import MINIMUM_USERS, SeasonalRates

FIRST, SECOND, THIRD = date(2024, 1, 1), date(2024, 1, 31), date(2024, 3, 1)
RATES = SeasonalRates((FIRST, SECOND, THIRD), (0.2, 0.5, 0.4), (300, 300, 300), overall=0.35)


def in_a_year(day: date, days: int = 0) -> date:
    return day + timedelta(days=365 + days)


def test_rates_of_labelled_rows_by_snapshot() -> None:
    snapshots = pl.Series([SECOND, FIRST, FIRST, SECOND, FIRST, SECOND])
    rates = SeasonalRates.of(np.array([1.0, 0.0, 1.0, 1.0, 0.0, 0.0]), snapshots)
    assert rates.snapshots == (FIRST, SECOND)
    assert rates.rates == pytest.approx((1 / 3, 2 / 3))
    assert rates.users == (3, 3)
    assert rates.overall == 0.5


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        (in_a_year(FIRST, -16), None),
        (in_a_year(FIRST, -15), 0.2),
        (in_a_year(FIRST), 0.2),
        (in_a_year(FIRST, 10), 0.3),
        (in_a_year(SECOND), 0.5),
        (in_a_year(SECOND, 15), 0.45),
        (in_a_year(THIRD), 0.4),
        (in_a_year(THIRD, 15), 0.4),
        (in_a_year(THIRD, 16), None),
    ],
    ids=[
        "long before the first", "half a month before the first", "on the first", "a third of the way", "on the second",
        "half-way", "on the last", "half a month after the last", "long after the last",
    ],
)  # fmt: skip
def test_the_rate_of_a_year_before_lies_between_the_snapshots_about_it(snapshot: date, expected: float | None) -> None:
    found = RATES.a_year_before(snapshot)
    assert found == (None if expected is None else pytest.approx(expected))


def test_the_shift_is_that_of_the_log_odds_of_the_rates() -> None:
    assert RATES.shift(in_a_year(FIRST)) == pytest.approx(np.log(0.2 / 0.8) - np.log(0.35 / 0.65))
    assert RATES.shift(in_a_year(SECOND)) == pytest.approx(-np.log(0.35 / 0.65))
    assert RATES.shift(in_a_year(THIRD, 16)) == 0.0


def test_each_row_gets_the_shift_of_its_snapshot() -> None:
    days = pl.Series([in_a_year(SECOND), in_a_year(FIRST), FIRST, in_a_year(SECOND)])
    assert RATES.shifts(days).tolist() == [RATES.shift(day) for day in days]
    assert RATES.shifts(pl.Series([], dtype=pl.Date)).shape == (0,)


@pytest.mark.parametrize(("users", "known"), [(MINIMUM_USERS - 1, False), (MINIMUM_USERS, True)])
def test_a_rate_of_few_users_corrects_nobody(users: int, known: bool) -> None:
    rates = SeasonalRates((FIRST, SECOND), (0.2, 0.5), (300, users), overall=0.35)
    assert (rates.a_year_before(in_a_year(FIRST, 10)) is not None) == known
    assert rates.a_year_before(in_a_year(FIRST)) == 0.2, "the first alone tells of its own date"


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_season_in_which_everybody_did_the_same_moves_the_log_odds_by_a_bounded_amount(rate: float) -> None:
    rates = SeasonalRates((FIRST,), (rate,), (300,), overall=0.5)
    assert abs(rates.shift(in_a_year(FIRST))) == pytest.approx(np.log(99))


def test_without_snapshots_nothing_is_known() -> None:
    assert SeasonalRates((), (), (), overall=0.5).a_year_before(FIRST) is None


@given(
    rates=st.lists(st.floats(0.01, 0.99), min_size=1, max_size=6),
    step=st.integers(1, 60),
    overall=st.floats(0.01, 0.99),
    ahead=st.integers(-40, 400),
)
def test_the_expected_rate_lies_within_the_seen_ones(rates: list[float], step: int, overall: float, ahead: int) -> None:
    snapshots = tuple(FIRST + timedelta(days=step * place) for place in range(len(rates)))
    season = SeasonalRates(snapshots, tuple(rates), (MINIMUM_USERS,) * len(rates), overall)
    expected = season.a_year_before(in_a_year(FIRST, ahead))
    within = -15 <= ahead <= step * (len(rates) - 1) + 15
    assert (expected is not None) == within
    if expected is not None:
        assert min(rates) - 1e-12 <= expected <= max(rates) + 1e-12
        assert season.shift(in_a_year(FIRST, ahead)) * (expected - overall) >= -1e-12


def test_kept_as_json_it_is_the_same() -> None:
    assert SeasonalRates.from_dict(RATES.to_dict()) == RATES
