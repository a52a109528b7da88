"""When a customer churns: the probability of being active still at 30, 60, 90 and 180 days, and the median date.

A customer churns on the first day from which they are silent for a whole label window (the table churn_dates). The
churn model says who has done so already at the snapshot, its day 0. From there on the chance is followed by hazards of
discrete time: of those still active at the start of an interval, the share that churns by its end (Allison 1982,
Discrete-Time Methods for the Analysis of Event Histories; Singer and Willett 1993, It's About Time):
P(active at h) = (1 - churn_probability) * product of (1 - hazard) over the intervals up to h. So a curve never rises.

Days are counted from the first day of the label window, which is the snapshot itself unless the definition has a lead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.core.feature_matrix import split_by_information
from churn_platform.core.logistic_baseline import LogisticBaseline, seasonal_effects
from churn_platform.core.matched_loss import sigmoid
from churn_platform.core.season import SeasonalEffects

Floats = NDArray[np.float64]

HORIZONS: Final = (30, 60, 90, 180)
DAYS: Final = (0, *HORIZONS)
BY_FEATURES, BY_RATE = "hazard_model", "hazard_rate"
# A share of fewer customers has a standard error of up to .07: it is not told.
MINIMUM_AT_RISK: Final = 50
# Fewer who churned, or fewer who did not, cannot tell features apart: everybody gets their share.
MINIMUM_OUTCOMES: Final = 20
# The logarithm of a probability of zero stays finite.
_SMALLEST: Final = 1e-9

FORECAST_SCHEMA: Final = {
    "snapshot_date": pl.Date,
    "user_id": pl.String,
    **{f"active_{days}d": pl.Float64 for days in DAYS},
    "median_churn_date": pl.Date,
    "forecast_by": pl.String,
    "reason": pl.String,
}


@dataclass(frozen=True)
class Hazard:
    """P(churned by day `until` | active at day `after`).

    `at_risk` customers of `snapshots` were active at `after` with the outcome at `until` known, and `churned` of them
    had churned by then. `model` is None where everybody gets their share; the hazard is unknown where they are fewer
    than MINIMUM_AT_RISK. `season` moves the model's log-odds as it does those of the churn model.
    """

    after: int
    until: int
    at_risk: int
    churned: int
    snapshots: int
    model: LogisticBaseline | None
    season: SeasonalEffects | None

    @classmethod
    def fit(cls, customers: pl.DataFrame, after: int, until: int, features: Sequence[str]) -> Self:
        """The hazard of one interval.

        Args:
            customers: as for `fit_hazards`.
            features: the columns to learn from; none: everybody gets the share.

        Raises:
            InputError: a feature cannot be read.
        """
        rows = customers.filter(
            pl.col("observed_days") >= until, pl.col("days_to_churn").is_null() | (pl.col("days_to_churn") > after)
        )
        outcome = churned_by(rows, until)
        churned = int(outcome.sum())
        rate_only = cls(after, until, rows.height, churned, rows["snapshot_date"].n_unique(), None, None)
        varying, _ = split_by_information(rows.select(features))
        if not varying or min(churned, rows.height - churned) < MINIMUM_OUTCOMES:
            return rate_only
        learnt, days = rows.select(varying), rows["snapshot_date"]
        model, _ = LogisticBaseline.fit_with_season(learnt, outcome, days)
        season = seasonal_effects(learnt, outcome, days).levelled(model.predict_margin, learnt, outcome, days)
        return replace(rate_only, model=model, season=season)

    @property
    def known(self) -> bool:
        return self.at_risk >= MINIMUM_AT_RISK

    @property
    def rate(self) -> float:
        """The share that churned: the Kaplan-Meier estimate of the interval; NaN where unknown."""
        return self.churned / self.at_risk if self.known else float("nan")

    def note(self, words: Mapping[str, str]) -> str | None:
        """Why it is unknown, or the same for everybody; None where features tell.

        Args:
            words: hazard_unknown, hazard_few and hazard_same, each with gaps for numbers of the hazard.
        """
        if self.known and self.model is not None:
            return None
        key = "hazard_same" if self.known else "hazard_few" if self.at_risk else "hazard_unknown"
        numbers = {"after": self.after, "until": self.until, "at_risk": self.at_risk, "churned": self.churned}
        return words[key].format(**numbers, minimum=MINIMUM_AT_RISK)

    def predict(self, users: pl.DataFrame) -> Floats:
        """The hazard of each user, shape (rows,); NaN where unknown.

        Args:
            users: the features as of a snapshot, and snapshot_date.

        Raises:
            InputError: a feature is missing or cannot be read.
        """
        if not self.known or self.model is None or self.season is None:
            return np.full(users.height, self.rate)
        return sigmoid(self.model.predict_margin(users) + self.season.shifts(users["snapshot_date"]))


Hazards = tuple[Hazard, ...]


def fit_hazards(customers: pl.DataFrame, features: Sequence[str]) -> Hazards:
    """A hazard for each interval between the DAYS, learnt only where its whole outcome is known.

    Args:
        customers: grain (snapshot_date, user_id), with the features as of the snapshot; days_to_churn, 0 where churned
            from the start, null where not yet; and observed_days, up to which that is known.
        features: the columns to learn from; none: everybody gets the interval's share.

    Raises:
        InputError: a feature cannot be read.
    """
    return tuple(Hazard.fit(customers, after, until, features) for after, until in pairwise(DAYS))


def rates_only(hazards: Hazards) -> Hazards:
    """The same intervals with the same share for everybody."""
    return tuple(replace(hazard, model=None, season=None) for hazard in hazards)


def churned_by(customers: pl.DataFrame, days: int) -> Floats:
    """1 where a customer has churned by that day, else 0, shape (rows,)."""
    return (
        customers.select((pl.col("days_to_churn") <= days).fill_null(value=False).cast(pl.Float64))
        .to_series()
        .to_numpy()
    )


def active_curve(churn_probability: Floats, hazards: Hazards, users: pl.DataFrame) -> Floats:
    """P(active) at each of the DAYS, shape (users, DAYS); from an unknown hazard on NaN.

    Args:
        churn_probability: of each user, shape (users,).
        users: as for `Hazard.predict`.

    Raises:
        InputError: as `Hazard.predict`.
    """
    kept = [1.0 - np.asarray(churn_probability, dtype=np.float64)]
    kept += [1.0 - hazard.predict(users) for hazard in hazards]
    return np.asarray(np.cumprod(np.column_stack(kept), axis=1), dtype=np.float64)


def median_days(curve: Floats) -> Floats:
    """The day at which P(active) has fallen to one half, shape (users,); NaN where that is later than the last known.

    Between two DAYS the logarithm of P(active) falls in a straight line, that is at a constant rate.

    Args:
        curve: what `active_curve` returned.
    """
    days = np.array(DAYS, dtype=np.float64)
    found = np.where(curve[:, 0] <= 0.5, 0.0, np.nan)
    fallen = np.log(np.maximum(curve, _SMALLEST))
    for place in range(1, len(days)):
        before, after = fallen[:, place - 1], fallen[:, place]
        crosses = (curve[:, place - 1] > 0.5) & (curve[:, place] <= 0.5)
        part = np.divide(before - np.log(0.5), before - after, out=np.zeros_like(before), where=crosses)
        found = np.where(crosses, days[place - 1] + part * (days[place] - days[place - 1]), found)
    return found


def survival_forecast(
    users: pl.DataFrame, churn_probability: Floats, hazards: Hazards, *, starts_on: date, words: Mapping[str, str]
) -> pl.DataFrame:
    """The rows of the table survival_forecast.

    Args:
        users: one row per user: snapshot_date, user_id and the features.
        churn_probability: of each user, shape (users,).
        starts_on: day 0, the first day of the label window.
        words: as for `Hazard.note`.

    Raises:
        InputError: as `Hazard.predict`.
    """
    curve = active_curve(churn_probability, hazards, users)
    median = pl.lit(pl.Series("days", np.ceil(median_days(curve)), dtype=pl.Float64)).fill_nan(None).cast(pl.Int32)
    notes = "; ".join(note for hazard in hazards if (note := hazard.note(words)))
    by_features = any(hazard.model is not None and hazard.known for hazard in hazards)
    told = users.select("snapshot_date", "user_id").with_columns(
        *(
            pl.Series(f"active_{days}d", curve[:, place], dtype=pl.Float64).fill_nan(None)
            for place, days in enumerate(DAYS)
        ),
        median_churn_date=pl.lit(starts_on) + pl.duration(days=median),
        forecast_by=pl.lit(BY_FEATURES if by_features else BY_RATE),
        reason=pl.lit(notes or None, dtype=pl.String),
    )
    return told.select(pl.col(name).cast(kind) for name, kind in FORECAST_SCHEMA.items())
