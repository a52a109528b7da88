from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.core.matched_loss import sigmoid
from churn_platform.core.season import MINIMUM_USERS, SeasonalEffects

FIRST, SECOND, THIRD, FOURTH = date(2024, 1, 1), date(2024, 1, 31), date(2024, 3, 1), date(2024, 3, 31)
EFFECTS = SeasonalEffects((FIRST, SECOND, THIRD), (-0.2, 0.5, 0.4), (300, 300, 300))


def in_a_year(day: date, days: int = 0) -> date:
    return day + timedelta(days=365 + days)


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        (in_a_year(FIRST, -16), 0.0),
        (in_a_year(FIRST, -15), -0.2),
        (in_a_year(FIRST), -0.2),
        (in_a_year(FIRST, 10), -0.2 + 0.7 / 3),
        (in_a_year(SECOND), 0.5),
        (in_a_year(SECOND, 15), 0.45),
        (in_a_year(THIRD), 0.4),
        (in_a_year(THIRD, 15), 0.4),
        (in_a_year(THIRD, 16), 0.0),
    ],
    ids=[
        "long before the first", "half a month before the first", "on the first", "a third of the way", "on the second",
        "half-way", "on the last", "half a month after the last", "long after the last",
    ],
)  # fmt: skip
def test_the_shift_lies_between_the_effects_about_the_same_date_of_the_year_before(
    snapshot: date, expected: float
) -> None:
    assert EFFECTS.shift(snapshot) == pytest.approx(expected)


def test_each_row_gets_the_shift_of_its_snapshot() -> None:
    days = pl.Series([in_a_year(SECOND), in_a_year(FIRST), FIRST, in_a_year(SECOND)])
    assert EFFECTS.shifts(days).tolist() == [EFFECTS.shift(day) for day in days]
    assert EFFECTS.shifts(pl.Series([], dtype=pl.Date)).shape == (0,)


def test_each_training_row_gets_the_effect_of_its_own_snapshot() -> None:
    assert EFFECTS.of_training(pl.Series([THIRD, FIRST, THIRD])).tolist() == [0.4, -0.2, 0.4]


@pytest.mark.parametrize(("users", "known"), [(MINIMUM_USERS - 1, False), (MINIMUM_USERS, True)])
def test_the_effect_on_few_users_corrects_nobody(users: int, known: bool) -> None:
    effects = SeasonalEffects((FIRST, SECOND), (0.2, 0.5), (300, users))
    assert (effects.shift(in_a_year(FIRST, 10)) != 0) == known
    assert effects.shift(in_a_year(FIRST)) == 0.2, "the first alone tells of its own date"


def test_without_snapshots_nothing_is_known() -> None:
    assert SeasonalEffects((), (), ()).shift(FIRST) == 0
    assert SeasonalEffects((), (), ()).year_before(FIRST) is None


def test_the_level_is_what_the_latest_snapshots_lack_beside_their_own_effects() -> None:
    ages = {FIRST: -3.0, SECOND: 0.7, THIRD: 0.7, FOURTH: 0.7}
    effects = SeasonalEffects(tuple(ages), (-0.2, 0.5, 0.4, -0.6), (4_000,) * 4)
    days = pl.Series([day for day in ages for _ in range(4_000)])
    lacking = days.replace_strict(ages, return_dtype=pl.Float64).to_numpy()
    margin = np.random.default_rng(3).normal(-1, 1, len(days))
    churned = np.random.default_rng(4).random(len(days)) < sigmoid(margin + lacking + effects.of_training(days))

    levelled = effects.levelled(
        lambda users: users["margin"].to_numpy(), pl.DataFrame({"margin": margin}), churned.astype(float), days
    )
    assert levelled.level == pytest.approx(0.7, abs=0.05), "of the latest three, not of the first"
    assert replace(levelled, level=0.0) == effects
    assert levelled.shift(FIRST) == levelled.level
    assert levelled.shift(in_a_year(SECOND)) == pytest.approx(levelled.level + 0.5)
    assert levelled.of_training(days).tolist() == effects.of_training(days).tolist()
    assert SeasonalEffects.from_dict(levelled.to_dict()) == levelled


@given(
    effects=st.lists(st.floats(0.01, 3), min_size=1, max_size=6), step=st.integers(1, 60), ahead=st.integers(-40, 400)
)
def test_the_shift_lies_within_the_seen_effects(effects: list[float], step: int, ahead: int) -> None:
    snapshots = tuple(FIRST + timedelta(days=step * place) for place in range(len(effects)))
    shift = SeasonalEffects(snapshots, tuple(effects), (MINIMUM_USERS,) * len(effects)).shift(in_a_year(FIRST, ahead))
    if -15 <= ahead <= step * (len(effects) - 1) + 15:
        assert min(effects) - 1e-12 <= shift <= max(effects) + 1e-12
    else:
        assert shift == 0


def test_kept_as_json_it_is_the_same() -> None:
    assert SeasonalEffects.from_dict(EFFECTS.to_dict()) == EFFECTS
