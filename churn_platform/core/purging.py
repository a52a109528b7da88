"""Which training snapshots may be known at a date: those whose label window has closed by then."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.errors import InputError

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PurgedSplit:
    """Row masks of a time-ordered split: no label window of `fit` reaches into `validation`."""

    fit: Mask
    validation: Mask
    first_validation: date
    last_validation: date


def closed_by(snapshot_date: pl.Series, day: date, window_days: int) -> Mask:
    """True for rows whose label window [snapshot, snapshot + window_days) ends on or before `day`.

    Args:
        window_days: lead plus horizon, whole days.

    Raises:
        InputError: the window is not positive, or the column does not hold dates without null.
    """
    if window_days < 1:
        raise InputError(f"The label window must be at least 1 day, but is {window_days}.")
    if snapshot_date.dtype != pl.Date or snapshot_date.null_count():
        raise InputError(
            f"'{snapshot_date.name}' must hold dates without null, but is {snapshot_date.dtype} "
            f"with {snapshot_date.null_count()} nulls."
        )
    return (snapshot_date <= day - timedelta(days=window_days)).to_numpy()


def latest_validation(snapshot_date: pl.Series, window_days: int, *, share: float = 0.25) -> PurgedSplit | None:
    """The latest `share` of the snapshots (at least one) to validate on, all closed before their start to fit on.

    Where nothing is left to fit on, fewer snapshots are validated on; None if even the latest alone leaves nothing.
    """
    days = sorted(snapshot_date.unique().to_list())
    for count in range(max(1, round(share * len(days))), 0, -1):
        first = days[-count]
        fit = closed_by(snapshot_date, first, window_days)
        if fit.any():
            return PurgedSplit(fit, (snapshot_date >= first).to_numpy(), first, days[-1])
    return None
