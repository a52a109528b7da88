"""Which snapshots exist: the one scored today, those with a closed label, and the out-of-time folds.

A snapshot S is the shop-local midnight that opens day S. Labels look at [S + lead, S + lead + horizon), half-open.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from churn_platform.errors import NotEnoughData

MAXIMUM_FOLDS = 3


@dataclass(frozen=True)
class Windows:
    """The lengths of the product definition, in days."""

    lookback: int
    lead: int
    horizon: int
    grace: int
    cadence: int

    def label_end(self, snapshot: date) -> date:
        """The day after the last day of the label window."""
        return snapshot + timedelta(days=self.lead + self.horizon)


@dataclass(frozen=True)
class History:
    """How far the data reach.

    Attributes:
        first_day: first arrival day.
        watermark: last day declared complete.
        history_watermark: last full day of the bulk loads; None where every file came live.
    """

    first_day: date
    watermark: date
    history_watermark: date | None

    def grace_period(self, window_end: date, windows: Windows) -> timedelta:
        """How long to wait for late files: not at all where a bulk load covers the whole label window."""
        covered = self.history_watermark is not None and window_end <= self.history_watermark
        return timedelta(days=0 if covered else windows.grace)


@dataclass(frozen=True)
class FixedDates:
    """Dates that a published protocol prescribes; what is not prescribed follows from the data.

    Attributes:
        first_training: the first snapshot of the training grid.
        folds: the out-of-time snapshots; they need not lie on the grid.
    """

    first_training: date | None = None
    folds: tuple[date, ...] = ()


NOTHING_FIXED = FixedDates()


@dataclass(frozen=True)
class SnapshotPlan:
    """The snapshots of one day.

    Attributes:
        newest: the snapshot to score; the day after the watermark.
        labelled: snapshots of the training grid whose label is closed, ascending.
        folds: out-of-time evaluation snapshots, newest first; their label windows do not overlap.
    """

    newest: date
    labelled: tuple[date, ...]
    folds: tuple[date, ...]

    @property
    def examined(self) -> tuple[date, ...]:
        """Every snapshot with labels: to learn from, to be tested on, or both; ascending."""
        return tuple(sorted({*self.labelled, *self.folds}))


def plan_snapshots(history: History, windows: Windows, fixed: FixedDates = NOTHING_FIXED) -> SnapshotPlan:
    """Lay the training grid and choose the folds.

    The grid has the training cadence and is anchored at the newest snapshot that the bulk load labels (else at the
    first arrival day), so that it does not shift from day to day. A training snapshot needs a full lookback of history.
    Of the prescribed folds those count whose label has closed and which leave something to train on.
    """
    step = timedelta(days=windows.cadence)
    anchor = _anchor(history, windows)
    earliest = history.first_day + timedelta(days=windows.lookback)
    snapshot = fixed.first_training or anchor - ((anchor - earliest) // step) * step
    labelled = []
    while label_closed(snapshot, history, windows):
        labelled.append(snapshot)
        snapshot += step
    closed = sorted(fold for fold in fixed.folds if label_closed(fold, history, windows))
    return SnapshotPlan(
        newest=history.watermark + timedelta(days=1),
        labelled=tuple(labelled),
        folds=_choose_folds(labelled, closed if fixed.folds else labelled, windows),
    )


def days_for_a_fold(windows: Windows) -> int:
    """Days of history with which one snapshot is left to test on; the grid may need up to a cadence less."""
    return windows.lookback + 2 * (windows.lead + windows.horizon) + windows.cadence


def require_folds(plan: SnapshotPlan, history: History, windows: Windows) -> None:
    """Raise NotEnoughData unless a model can be trained and tested out of time."""
    if plan.folds:
        return
    needed = days_for_a_fold(windows)
    have = (history.watermark - history.first_day).days + 1
    raise NotEnoughData(
        f"{len(plan.labelled)} snapshot(s) have a closed label window, and none is left to test on out of time. "
        f"About {needed} days of history are needed (lookback {windows.lookback} + 2 × horizon {windows.horizon} + "
        f"cadence {windows.cadence}); {have} exist ({history.first_day} to {history.watermark}). "
        "Load more history, or shorten lookback_days or horizon_days in churn.toml."
    )


def _anchor(history: History, windows: Windows) -> date:
    if history.history_watermark is None:
        return history.first_day
    return history.history_watermark - timedelta(days=windows.lead + windows.horizon)


def label_closed(snapshot: date, history: History, windows: Windows) -> bool:
    """Whether the label window of a snapshot, and the grace for late files, have passed."""
    end = windows.label_end(snapshot)
    return end + history.grace_period(end, windows) <= history.watermark


def _choose_folds(labelled: list[date], offered: list[date], windows: Windows) -> tuple[date, ...]:
    """Newest first; each leaves at least one training snapshot whose label window ends on or before it."""
    folds: list[date] = []
    for snapshot in reversed(offered):
        disjoint = not folds or windows.label_end(snapshot) <= folds[-1]
        trainable = bool(labelled) and windows.label_end(labelled[0]) <= snapshot
        if disjoint and trainable and len(folds) < MAXIMUM_FOLDS:
            folds.append(snapshot)
    return tuple(folds)
