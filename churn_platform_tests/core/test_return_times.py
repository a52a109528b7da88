"""The return-times table and the windows proposed from it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.core.return_times import GRID, ReturnRow, propose_windows, return_times
from churn_platform.errors import InputError

silences = st.lists(st.integers(1, 500), max_size=300)


@settings(deadline=None)
@given(silences, st.lists(st.integers(0, 500), min_size=40, max_size=300))
def test_the_longer_a_silence_the_fewer_come_back(ended: list[int], still_open: list[int]) -> None:
    rows = return_times(ended, still_open)
    for name in ("came_back", "late_returns"):
        shares = [getattr(row, name) for row in rows]
        assert all(-1e-12 <= share <= 1 + 1e-12 for share in shares)
        assert shares == sorted(shares, reverse=True) or np.allclose(np.diff(shares).clip(0), 0)
    assert [row.silences for row in rows] == sorted((row.silences for row in rows), reverse=True)


@settings(deadline=None)
@given(silences, st.integers(40, 200))
def test_without_censoring_the_shares_are_plain_counts(ended: list[int], lost: int) -> None:
    rows = return_times(ended, [400] * lost)
    for row in rows:
        silent = [days for days in ended if days > row.days]
        back = sum(days <= rows[-1].days for days in silent)
        all_back = sum(days <= rows[-1].days for days in ended)
        assert row.silences == len(silent) + lost
        assert row.came_back == pytest.approx(back / (len(silent) + lost))
        assert row.late_returns == pytest.approx(back / all_back if all_back else 0.0)


def test_silences_cut_off_by_the_end_of_the_data_do_not_count_as_churn() -> None:
    generator = np.random.default_rng(5)
    true = generator.geometric(1 / 40, size=20_000)
    followed = generator.integers(0, 800, size=true.size)
    ended, still_open = true[true <= followed], followed[true > followed]
    rows = {row.days: row for row in return_times(ended, still_open)}
    assert rows[30].late_returns == pytest.approx((1 - 1 / 40) ** 30, abs=0.02)
    naive = (ended > 30).mean()
    assert abs(naive - (1 - 1 / 40) ** 30) > 0.02, "what the correction is for"


def test_a_row_that_few_silences_reach_is_left_out() -> None:
    assert [row.days for row in return_times([10] * 100, [100] * 29 + [20] * 30)] == [7, 14]
    assert return_times([], [3] * 100) == []


@pytest.mark.parametrize(("ended", "still_open"), [([0], [5]), ([4], [-1])])
def test_unsorted_days_are_refused(ended: list[int], still_open: list[int]) -> None:
    with pytest.raises(InputError, match="sort the active days"):
        return_times(ended, still_open)


def rows(**late: float) -> list[ReturnRow]:
    return [ReturnRow(int(days[1:]), 100, 0.5, share) for days, share in late.items()]


def test_the_horizon_leaves_one_return_in_five_behind_it() -> None:
    proposal = propose_windows(rows(d30=0.5, d45=0.21, d60=0.2, d90=0.1), 800)
    assert (proposal.horizon_days, proposal.lookback_days, proposal.training_cadence_days) == (60, 120, 30)
    assert proposal.history_suffices


@pytest.mark.parametrize(("history", "horizon"), [(390, 90), (389, 60), (270, 60), (269, 45), (10, 7)])
def test_a_short_history_cuts_the_horizon(history: int, horizon: int) -> None:
    proposal = propose_windows(rows(d60=0.3, d90=0.2), history)
    assert (proposal.horizon_days, proposal.wanted_horizon) == (horizon, 90)
    assert proposal.history_suffices == (history >= 269)


@settings(deadline=None)
@given(st.integers(1, 3000), st.sampled_from(GRID))
def test_windows_that_fit_meet_the_readiness_rules(history: int, wanted: int) -> None:
    proposal = propose_windows([ReturnRow(wanted, 100, 0.5, 0.1)], history)
    assert proposal.horizon_days <= wanted
    assert proposal.lookback_days >= max(30, 2 * proposal.horizon_days)
    if proposal.history_suffices:
        assert history >= proposal.lookback_days + proposal.horizon_days
        assert history >= 3 * proposal.horizon_days


def test_where_nobody_came_back_the_usual_horizon_stands() -> None:
    assert propose_windows([ReturnRow(30, 100, 0.0, 0.0)], 900).horizon_days == 90
    assert propose_windows([], 900).horizon_days == 90
