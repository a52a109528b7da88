"""How long customers stay silent before they come back, and the churn windows that follow from it.

A silence begins on a day with activity and ends with the customer's next such day, or is still open when the data end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from churn_platform.errors import InputError

GRID: Final = (7, 14, 30, 45, 60, 90, 120, 180, 365)
FEWEST_SILENCES: Final = 30  # below this many silences that long, a row says nothing
LATE_RETURNS: Final = 0.2  # at most one in five who come back may do so after the horizon
USUAL_HORIZON: Final = 90
USUAL_CADENCE: Final = 30
SHORTEST_LOOKBACK: Final = 30

Days = NDArray[np.int64]


@dataclass(frozen=True)
class ReturnRow:
    """What silences of `days` days are followed by. All shares are in [0, 1].

    Attributes:
        silences: that lasted longer than `days` or were still open after them.
        came_back: share of the customers silent for `days` days who come back by the last row's day.
        late_returns: share of all returns by the last row's day that come after `days` days.
    """

    days: int
    silences: int
    came_back: float
    late_returns: float


@dataclass(frozen=True)
class WindowProposal:
    """Horizon, lookback and training cadence in days; `wanted_horizon` is what a longer history would have given."""

    horizon_days: int
    lookback_days: int
    training_cadence_days: int
    wanted_horizon: int
    history_days: int

    @property
    def needed_days(self) -> int:
        """The history that a model of these windows needs: one snapshot to train on and a later one to test on."""
        return self.lookback_days + 2 * self.horizon_days + self.training_cadence_days

    @property
    def history_suffices(self) -> bool:
        """Whether the history reaches that far."""
        return self.needed_days <= self.history_days


def return_times(ended: ArrayLike, still_open: ArrayLike, grid: Sequence[int] = GRID) -> list[ReturnRow]:
    """The return-times table, by the estimator of Kaplan and Meier (1958, JASA 53, 457–481).

    A silence that the end of the data cuts off after c days counts among those at risk up to day c and no further. With
    d(t) silences that end on day t of r(t) at risk, S(N) = Π over t ≤ N of (1 − d(t) / r(t)) is the share still silent
    after N days. With L the last row: came_back(N) = 1 − S(L) / S(N), late_returns(N) = (S(N) − S(L)) / (1 − S(L)).
    Both never rise with N, and are 0 at L.

    Args:
        ended: whole days, one per silence that ended with a return; each at least 1.
        still_open: whole days from a customer's last active day to the end of the data, one per customer.
        grid: ascending days; rows that fewer than 30 silences reach are left out.

    Raises:
        InputError: a silence that ended is shorter than a day, or an open one is negative.
    """
    returned, open_days = np.asarray(ended, dtype=np.int64), np.asarray(still_open, dtype=np.int64)
    if (returned < 1).any() or (open_days < 0).any():
        raise InputError("A silence that ended lasts at least 1 day and an open one at least 0: sort the active days.")
    longest = max(*grid, int(returned.max(initial=0)), int(open_days.max(initial=0))) + 1
    ends = np.bincount(returned, minlength=longest + 1)
    at_risk = (ends + np.bincount(open_days, minlength=longest + 1))[::-1].cumsum()[::-1]
    silent = np.cumprod(1.0 - ends / np.maximum(at_risk, 1))
    reached = [days for days in grid if at_risk[days + 1] >= FEWEST_SILENCES]
    if not reached:
        return []
    floor = silent[reached[-1]]
    return [
        ReturnRow(
            days=days,
            silences=int(at_risk[days + 1]),
            came_back=float(1 - floor / silent[days]) if silent[days] > 0 else 0.0,
            late_returns=float((silent[days] - floor) / (1 - floor)) if floor < 1 else 0.0,
        )
        for days in reached
    ]


def propose_windows(rows: Sequence[ReturnRow], history_days: int) -> WindowProposal:
    """The horizon by which four in five of those who come back are back, and what fits to it.

    A shorter horizon would call too many churned who do come back; a longer one finds out later and needs more history.
    Lookback is twice the horizon, at least 30 days; the training cadence 30 days, or half a short horizon. The horizon
    is cut to the longest of the grid with which the history holds a training and a test snapshot:
    lookback + 2 × horizon + cadence. Without any return the usual 90 days stand.

    Args:
        rows: of `return_times`.
        history_days: days from the first to the last event, both included.
    """
    returns = [row for row in rows if row.late_returns > 0]
    wanted = next((row.days for row in rows if row.late_returns <= LATE_RETURNS), USUAL_HORIZON)
    wanted = wanted if returns else USUAL_HORIZON
    proposals = [_windows(days, wanted, history_days) for days in GRID if days <= wanted]
    fitting = [proposal for proposal in proposals if proposal.history_suffices]
    return fitting[-1] if fitting else proposals[0]


def _windows(horizon: int, wanted: int, history_days: int) -> WindowProposal:
    return WindowProposal(
        horizon_days=horizon,
        lookback_days=max(SHORTEST_LOOKBACK, 2 * horizon),
        training_cadence_days=min(USUAL_CADENCE, max(7, horizon // 2)),
        wanted_horizon=wanted,
        history_days=history_days,
    )
