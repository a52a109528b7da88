"""The recipe: boosted trees, averaged with a logistic regression and a BG/NBD, as time-ordered validation decides."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from churn_platform.core.bgnbd_scorer import BGNBD, HISTORY_COLUMNS, BetaGeometricScorer, missing_history
from churn_platform.core.contributions import Contributions
from churn_platform.core.gradient_boosting import BoostedModel, BoostingParameters, choose_rounds
from churn_platform.core.logistic_baseline import LogisticBaseline, seasonal_effects
from churn_platform.core.matched_loss import matched_losses, sigmoid
from churn_platform.core.purging import PurgedSplit, latest_validation
from churn_platform.core.season import SeasonalEffects
from churn_platform.errors import InputError, OutdatedModel

Floats = NDArray[np.float64]

_HEADER = "model.json"
_FORMAT = 5
# Users scored at once, so that memory does not grow with their number.
_USERS_AT_ONCE = 50_000
# The average of all models is the safer default: a simpler one must be better beyond the noise of the validation.
_STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class Weights:
    """The share of each model in the blend's log-odds; they sum to 1."""

    boosted: float
    logistic: float
    bgnbd: float


ALONE = Weights(1.0, 0.0, 0.0)
PAIR = Weights(0.5, 0.5, 0.0)
ALL_THREE = Weights(1 / 3, 1 / 3, 1 / 3)


@dataclass(frozen=True)
class TrainingReport:
    """What was trained on and what was chosen, for the model presentation.

    `weights`: trees alone, the average of trees and logistic, or the average of all three, which is taken unless a
    simpler one is clearly better. `chosen_by` is 'purged validation', or 'default' where the history is too short for
    one; `losses` (mean matched log loss on the validation snapshots, nats) is then empty and the validation dates None.
    It is keyed by model, 'boosted', 'logistic', 'bgnbd', and by average, 'boosted+logistic', 'boosted+logistic+bgnbd'.
    `without_bgnbd` tells why the BG/NBD was left out; None where it took part.
    """

    rows: int
    churn_rate: float
    first_snapshot: date
    last_snapshot: date
    snapshots: int
    dropped_features: tuple[str, ...]
    rounds: int
    weights: Weights
    chosen_by: str
    first_validation: date | None
    last_validation: date | None
    losses: dict[str, float]
    without_bgnbd: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, dates as ISO text, for JSON."""
        plain = asdict(self)
        return {name: part.isoformat() if isinstance(part, date) else part for name, part in plain.items()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """The report that `to_dict` described."""
        plain = dict(stored)
        for name in ("first_snapshot", "last_snapshot", "first_validation", "last_validation"):
            plain[name] = date.fromisoformat(plain[name]) if plain[name] else None
        plain["dropped_features"] = tuple(plain["dropped_features"])
        plain["weights"] = Weights(**plain["weights"])
        return cls(**plain)


@dataclass(frozen=True)
class _Choice:
    rounds: int
    weights: Weights
    losses: dict[str, float]


@dataclass(frozen=True)
class _Fitted:
    """What is fitted to the training rows once rounds are chosen; names as in ChurnModel."""

    boosted: BoostedModel
    logistic: LogisticBaseline
    bgnbd: BetaGeometricScorer | None
    season: SeasonalEffects


@dataclass(frozen=True)
class ChurnModel:
    """The margin is the weighted mean of the models' margins; the probability the sigmoid of it and `season`'s shift.

    Trees and logistic regression learn beside a free base rate of every snapshot, so that their margins leave the
    season's part to `season`. `bgnbd` is None where the training rows lack its columns (`report.without_bgnbd` names
    them). Calibration moves all log-odds alike: a map fitted on the last snapshots alone does harm where the base rate
    swings.
    """

    boosted: BoostedModel
    logistic: LogisticBaseline
    bgnbd: BetaGeometricScorer | None
    weights: Weights
    season: SeasonalEffects
    report: TrainingReport

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that scoring needs."""
        history = HISTORY_COLUMNS if self.weights.bgnbd else ()
        return self.boosted.features + tuple(name for name in history if name not in self.boosted.features)

    @classmethod
    def train(
        cls,
        features: pl.DataFrame,
        churned: ArrayLike,
        snapshot_date: pl.Series,
        *,
        window_days: int,
        parameters: BoostingParameters | None = None,
    ) -> Self:
        """Choose rounds and blend on the latest purged snapshots, then train on all rows.

        Args:
            features: one row per user and snapshot, as of the snapshot; numeric columns, all of them features.
            churned: 1 churned, 0 stayed, known for every row.
            snapshot_date: the snapshot of each row.
            window_days: lead plus horizon, the days after a snapshot until its label is known.

        Raises:
            InputError: a column cannot be a feature, an outcome is neither 0 nor 1, or a snapshot is null.
            NotEnoughData: one class only, or no feature varies.
        """
        settings = parameters or BoostingParameters()
        outcome = np.asarray(churned, dtype=np.float64)
        missing = missing_history(features)
        split = _usable_split(outcome, snapshot_date, window_days)
        if split:
            choice = _validated_choice(
                features, outcome, snapshot_date, split, settings=settings, window_days=window_days
            )
        else:
            choice = _Choice(settings.rounds_without_validation, PAIR if missing else ALL_THREE, {})
        fitted = _fitted(features, outcome, snapshot_date, window_days, choice.rounds, settings, bgnbd=not missing)
        report = TrainingReport(
            rows=len(outcome),
            churn_rate=float(outcome.mean()),
            first_snapshot=snapshot_date.min(),  # type: ignore[arg-type]
            last_snapshot=snapshot_date.max(),  # type: ignore[arg-type]
            snapshots=snapshot_date.n_unique(),
            dropped_features=fitted.boosted.dropped,
            rounds=choice.rounds,
            weights=choice.weights,
            chosen_by="purged validation" if split else "default",
            first_validation=split.first_validation if split else None,
            last_validation=split.last_validation if split else None,
            losses=choice.losses,
            without_bgnbd=f"the features lack {', '.join(missing)}" if missing else None,
        )
        model = cls(**vars(fitted), weights=choice.weights, report=report)
        return model._levelled(features, outcome, snapshot_date)

    def trained_alike(
        self,
        features: pl.DataFrame,
        churned: ArrayLike,
        snapshot_date: pl.Series,
        *,
        window_days: int,
        parameters: BoostingParameters | None = None,
    ) -> Self:
        """A model of the same rounds and weights, trained on other rows; its report stays this model's.

        Arguments and errors as for `train`.
        """
        outcome, settings = np.asarray(churned, dtype=np.float64), parameters or BoostingParameters()
        uses_bgnbd = bool(self.weights.bgnbd)
        fitted = _fitted(features, outcome, snapshot_date, window_days, self.report.rounds, settings, bgnbd=uses_bgnbd)
        return replace(self, **vars(fitted))._levelled(features, outcome, snapshot_date)

    def predict_margin(self, features: pl.DataFrame) -> Floats:
        """Log-odds of churn, shape (rows,), by which users are ranked.

        Raises:
            InputError: a feature is missing (the message names it), not numeric or infinite.
        """
        starts = range(0, max(features.height, 1), _USERS_AT_ONCE)
        return np.concatenate([self._margin(features.slice(start, _USERS_AT_ONCE)) for start in starts])

    def predict(self, features: pl.DataFrame) -> Floats:
        """Churn probability, shape (rows,); a row's does not depend on the others.

        Args:
            features: the model's columns, and snapshot_date, by which the season is known.

        Raises:
            InputError: as `predict_margin`, or there is no snapshot_date.
        """
        if features.schema.get("snapshot_date") != pl.Date:
            raise InputError("A probability needs the column snapshot_date (a date): churn rates move with the season.")
        return self.probability(self.predict_margin(features), features["snapshot_date"])

    def probability(self, margin: Floats, snapshot_date: pl.Series) -> Floats:
        """The churn probability that a margin means at its snapshot, shape (rows,)."""
        return sigmoid(margin + self.season.shifts(snapshot_date))

    def fitted_probability(self, margin: Floats, snapshot_date: pl.Series) -> Floats:
        """The churn probability of rows of the training snapshots, with each snapshot's own effect, shape (rows,).

        That effect was given while the models learnt. `probability` knows but the year before's, and so nothing of most
        training snapshots: it would blame the model for seasons that it knew when it was fitted.
        """
        return sigmoid(margin + self.season.of_training(snapshot_date) + self.season.level)

    def contributions(self, features: pl.DataFrame, *, exact: bool = True) -> Contributions:
        """What each feature adds to the margin, in log-odds; the BG/NBD's part is one, named BGNBD.

        `exact` is of the trees' part (see `BoostedModel.contributions`). Raises as `predict_margin`.
        """
        names = self.boosted.features + ((BGNBD,) if self.weights.bgnbd else ())

        def added(model: BoostedModel | LogisticBaseline | BetaGeometricScorer) -> Contributions:
            if isinstance(model, BoostedModel):
                return model.contributions(features, exact=exact)
            return model.contributions(features)

        parts = [(share, added(model).aligned_to(names)) for share, model in self._parts()]
        return Contributions(
            names,
            np.asarray(sum(share * part.values for share, part in parts)),
            np.asarray(sum(share * part.bias for share, part in parts)),
        )

    def _levelled(self, features: pl.DataFrame, outcome: Floats, snapshot_date: pl.Series) -> Self:
        return replace(self, season=self.season.levelled(self.predict_margin, features, outcome, snapshot_date))

    def _margin(self, features: pl.DataFrame) -> Floats:
        return np.asarray(sum(share * model.predict_margin(features) for share, model in self._parts()))

    def _parts(self) -> list[tuple[float, BoostedModel | LogisticBaseline | BetaGeometricScorer]]:
        shares = ((self.weights.boosted, self.boosted), (self.weights.logistic, self.logistic))
        parts: list[tuple[float, BoostedModel | LogisticBaseline | BetaGeometricScorer]] = [
            (share, model) for share, model in shares if share
        ]
        return [*parts, (self.weights.bgnbd, self.bgnbd)] if self.bgnbd and self.weights.bgnbd else parts

    def save(self) -> dict[str, bytes]:
        """File name → content: JSON and UBJSON only, equal bytes for equal models."""
        header = {
            "format": _FORMAT,
            "weights": asdict(self.weights),
            "logistic": self.logistic.to_dict(),
            "bgnbd": self.bgnbd.to_dict() if self.bgnbd else None,
            "season": self.season.to_dict(),
            "report": self.report.to_dict(),
        }
        return {_HEADER: json.dumps(header, indent=1, sort_keys=True).encode(), **self.boosted.to_bytes()}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Self:
        """The model that `save` wrote; other files are ignored.

        Raises:
            InputError: a file is missing.
            OutdatedModel: the format is not this version's.
        """
        if _HEADER not in files:
            raise InputError(
                f"The model lacks its file {_HEADER}. It has: {', '.join(sorted(files)) or 'none'}. Restore it."
            )
        header = json.loads(files[_HEADER])
        if header.get("format") != _FORMAT:
            raise OutdatedModel(
                f"{_HEADER} has format {header.get('format')}, but this version reads {_FORMAT}. Train again."
            )
        return cls(
            BoostedModel.from_bytes(files),
            LogisticBaseline.from_dict(header["logistic"]),
            BetaGeometricScorer.from_dict(header["bgnbd"]) if header["bgnbd"] else None,
            Weights(**header["weights"]),
            SeasonalEffects.from_dict(header["season"]),
            TrainingReport.from_dict(header["report"]),
        )


def _fitted(
    features: pl.DataFrame,
    outcome: Floats,
    snapshot_date: pl.Series,
    window_days: int,
    rounds: int,
    settings: BoostingParameters,
    *,
    bgnbd: bool,
) -> _Fitted:
    logistic, _ = LogisticBaseline.fit_with_season(features, outcome, snapshot_date)
    season = seasonal_effects(features, outcome, snapshot_date)
    offset = season.of_training(snapshot_date)
    return _Fitted(
        boosted=BoostedModel.fit(features, outcome, rounds=rounds, parameters=settings, offset=offset),
        logistic=logistic,
        bgnbd=BetaGeometricScorer.fit(features, outcome, snapshot_date, window_days=window_days) if bgnbd else None,
        season=season,
    )


def _usable_split(outcome: Floats, snapshot_date: pl.Series, window_days: int) -> PurgedSplit | None:
    split = latest_validation(snapshot_date, window_days)
    if split and np.ptp(outcome[split.fit]) > 0:
        return split
    return None


def _validated_choice(
    features: pl.DataFrame,
    outcome: Floats,
    snapshot_date: pl.Series,
    split: PurgedSplit,
    *,
    settings: BoostingParameters,
    window_days: int,
) -> _Choice:
    earlier, known, days = features.filter(split.fit), outcome[split.fit], snapshot_date.filter(split.fit)
    logistic, _ = LogisticBaseline.fit_with_season(earlier, known, days)
    season = seasonal_effects(earlier, known, days)
    stopped = choose_rounds(features, outcome, snapshot_date, split, settings, offset=season.of_training(days))
    users, later = features.filter(split.validation), outcome[split.validation]
    margins = {
        "boosted": stopped.validation_margin,
        "logistic": logistic.predict_margin(users),
    }
    if not missing_history(features):
        margins[BGNBD] = BetaGeometricScorer.fit(earlier, known, days, window_days=window_days).predict_margin(users)
    candidates = {"boosted": ALONE, "boosted+logistic": PAIR}
    if BGNBD in margins:
        candidates[f"boosted+logistic+{BGNBD}"] = ALL_THREE
    snapshot = snapshot_date.filter(split.validation).to_numpy()
    blends = {name: _blended(margins, weights) for name, weights in candidates.items()}
    losses = {name: matched_losses(later, margin, snapshot) for name, margin in {**margins, **blends}.items()}
    chosen = _chosen({name: losses[name] for name in candidates})
    return _Choice(stopped.rounds, candidates[chosen], {name: float(loss.mean()) for name, loss in losses.items()})


def _blended(margins: Mapping[str, Floats], weights: Weights) -> Floats:
    return np.asarray(sum(share * margins[name] for name, share in asdict(weights).items() if share))


def _chosen(losses: Mapping[str, Floats]) -> str:
    """The last (the average of most models), unless simpler ones are clearly better: then the best of those."""
    *simpler, default = losses
    better = []
    for name in simpler:
        gain = losses[default] - losses[name]
        if gain.mean() > _STANDARD_ERRORS * gain.std() / np.sqrt(len(gain)):
            better.append(name)
    return min(better, key=lambda name: float(losses[name].mean()), default=default)
