"""The plan of snapshots, held against the definitions day by day."""

import re
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.core.snapshots import MAXIMUM_FOLDS, FixedDates, History, Windows, plan_snapshots, require_folds
from churn_platform.errors import NotEnoughData

FIRST = date(2020, 1, 1)
DAY = timedelta(days=1)
DEFAULT = Windows(lookback=180, lead=0, horizon=90, grace=7, cadence=30)
ONLINE_RETAIL = History(first_day=date(2009, 12, 1), watermark=date(2011, 12, 8), history_watermark=date(2011, 12, 8))

windows_of_any_shop = st.builds(
    Windows,
    lookback=st.integers(1, 200),
    lead=st.integers(0, 20),
    horizon=st.integers(1, 100),
    grace=st.integers(0, 10),
    cadence=st.integers(1, 60),
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    length = draw(st.integers(1, 900))
    bulk = draw(st.none() | st.integers(0, length - 1))
    return History(FIRST, FIRST + (length - 1) * DAY, None if bulk is None else FIRST + bulk * DAY)


def live(watermark: date) -> History:
    return History(FIRST, watermark, None)


@given(history=histories(), windows=windows_of_any_shop)
def test_the_newest_snapshot_opens_the_day_after_the_watermark(history: History, windows: Windows) -> None:
    assert plan_snapshots(history, windows).newest == history.watermark + DAY


@given(history=histories(), windows=windows_of_any_shop)
def test_labelled_are_exactly_the_closed_days_of_the_grid(history: History, windows: Windows) -> None:
    anchor = FIRST
    if history.history_watermark:
        anchor = history.history_watermark - (windows.lead + windows.horizon) * DAY
    expected = []
    day = FIRST + windows.lookback * DAY
    while day <= history.watermark:
        end = day + (windows.lead + windows.horizon) * DAY
        covered = history.history_watermark is not None and end <= history.history_watermark
        closes = end if covered else end + windows.grace * DAY
        if (day - anchor).days % windows.cadence == 0 and closes <= history.watermark:
            expected.append(day)
        day += DAY
    assert list(plan_snapshots(history, windows).labelled) == expected


@given(history=histories(), windows=windows_of_any_shop, later=st.integers(1, 400))
def test_the_grid_stays_as_the_watermark_moves(history: History, windows: Windows, later: int) -> None:
    today = plan_snapshots(history, windows).labelled
    then = plan_snapshots(replace(history, watermark=history.watermark + later * DAY), windows).labelled
    assert then[: len(today)] == today


@given(history=histories(), windows=windows_of_any_shop)
def test_folds_are_disjoint_and_each_has_something_to_learn_from(history: History, windows: Windows) -> None:
    plan = plan_snapshots(history, windows)
    assert len(plan.folds) <= MAXIMUM_FOLDS
    for newer, older in zip(plan.folds, plan.folds[1:], strict=False):
        assert windows.label_end(older) <= newer
    for fold in plan.folds:
        assert fold in plan.labelled
        assert any(windows.label_end(snapshot) <= fold for snapshot in plan.labelled)
    if plan.labelled and windows.label_end(plan.labelled[0]) <= plan.labelled[-1]:
        assert plan.folds[0] == plan.labelled[-1]


@pytest.mark.parametrize("lead", [0, 5])
def test_a_live_label_closes_when_its_grace_has_passed_and_not_a_day_earlier(lead: int) -> None:
    windows = replace(DEFAULT, lead=lead)
    snapshot = FIRST + 180 * DAY
    closes = windows.label_end(snapshot) + 7 * DAY
    assert windows.label_end(snapshot) == snapshot + (lead + 90) * DAY
    assert plan_snapshots(live(closes - DAY), windows).labelled == ()
    assert plan_snapshots(live(closes), windows).labelled == (snapshot,)


def test_a_label_that_a_bulk_load_covers_closes_at_the_end_of_its_window_and_not_a_day_earlier() -> None:
    snapshot = FIRST + 180 * DAY
    end = DEFAULT.label_end(snapshot)
    closed = plan_snapshots(History(FIRST, end, end), DEFAULT)
    assert closed.labelled[-1] == snapshot
    a_day_short = plan_snapshots(History(FIRST, end - DAY, end - DAY), DEFAULT)
    assert a_day_short.labelled == ()


def test_a_window_that_ends_a_day_after_the_bulk_load_waits_for_late_live_files() -> None:
    windows = replace(DEFAULT, cadence=1)
    history = History(FIRST, FIRST + 400 * DAY, FIRST + 400 * DAY)
    newest = plan_snapshots(history, windows).labelled[-1]
    assert windows.label_end(newest) == FIRST + 400 * DAY

    def newest_at(days: int) -> date:
        return plan_snapshots(replace(history, watermark=FIRST + days * DAY), windows).labelled[-1]

    assert newest_at(407) == newest
    assert newest_at(408) == newest + DAY


def test_the_figures_of_online_retail() -> None:
    plan = plan_snapshots(ONLINE_RETAIL, DEFAULT)
    assert plan.newest == date(2011, 12, 9)
    assert plan.labelled[0] == date(2010, 6, 16)
    assert plan.labelled[-1] == date(2011, 9, 9)
    assert len(plan.labelled) == 16
    assert plan.folds == (date(2011, 9, 9), date(2011, 6, 11), date(2011, 3, 13))
    require_folds(plan, ONLINE_RETAIL, DEFAULT)


def test_prescribed_dates_of_online_retail() -> None:
    fixed = FixedDates(date(2010, 6, 1), (date(2011, 6, 1), date(2011, 9, 9), date(2011, 3, 1)))
    plan = plan_snapshots(ONLINE_RETAIL, DEFAULT, fixed)
    assert plan.labelled[:2] == (date(2010, 6, 1), date(2010, 7, 1))
    assert plan.labelled[-1] + 90 * DAY <= date(2011, 12, 8) < plan.labelled[-1] + 120 * DAY
    assert plan.folds == (date(2011, 9, 9), date(2011, 6, 1), date(2011, 3, 1))
    assert {*plan.folds} & {*plan.labelled} == set()
    assert plan.examined == tuple(sorted([*plan.labelled, *plan.folds]))


def test_a_prescribed_fold_counts_once_its_label_has_closed_and_something_is_left_to_train_on() -> None:
    fixed = FixedDates(date(2010, 6, 1), (date(2010, 8, 29), date(2010, 11, 30), date(2011, 9, 9), date(2011, 12, 9)))
    assert plan_snapshots(ONLINE_RETAIL, DEFAULT, fixed).folds == (date(2011, 9, 9), date(2010, 11, 30))


@given(history=histories(), windows=windows_of_any_shop)
def test_without_prescribed_dates_every_examined_snapshot_is_one_to_learn_from(
    history: History, windows: Windows
) -> None:
    plan = plan_snapshots(history, windows)
    assert plan.examined == plan.labelled


def test_too_short_a_history_is_refused_with_what_is_needed_and_what_exists() -> None:
    history = live(FIRST + 299 * DAY)
    plan = plan_snapshots(history, DEFAULT)
    with pytest.raises(NotEnoughData) as refused:
        require_folds(plan, history, DEFAULT)
    told = str(refused.value)
    assert told.startswith("1 snapshot(s) have a closed label window, and none is left to test on out of time.")
    assert "About 390 days of history are needed (lookback 180 + 2 × horizon 90 + cadence 30)" in told
    assert "300 exist (2020-01-01 to 2020-10-26)" in told
    assert re.search("Load more history, or shorten lookback_days or horizon_days", told)


def test_the_first_fold_appears_once_a_label_closed_before_it() -> None:
    """First training snapshot 180 days in (grid day 6); its window ends at grid day 9, whose own ends 90 days later."""
    closes = FIRST + (180 + 90 + 90 + 7) * DAY
    assert plan_snapshots(live(closes - DAY), DEFAULT).folds == ()
    assert plan_snapshots(live(closes), DEFAULT).folds == (FIRST + 270 * DAY,)
