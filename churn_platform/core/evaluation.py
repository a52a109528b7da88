"""How the recipe and its baselines do out of time: trained on what was known at a fold's date, scored on its users."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.core.bgnbd_scorer import BGNBD, BetaGeometricScorer, missing_history
from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.held_out import fitted_metrics, held_out_metrics
from churn_platform.core.logistic_baseline import LogisticBaseline
from churn_platform.core.metrics import Interval, evaluate_models
from churn_platform.core.psi import psi_interval
from churn_platform.core.purging import closed_by
from churn_platform.core.ranked_users import DIRECTED
from churn_platform.core.recency_rule import RecencyRule
from churn_platform.core.rhythm_rule import USUAL_GAP, RhythmRule
from churn_platform.core.snapshot_means import snapshot_means
from churn_platform.errors import InputError, NotEnoughData, suggest

CHAMPION = "churn_model"
RECENCY_RULE = "recency_rule"
RHYTHM_RULE = "rhythm_rule"
LOGISTIC = "logistic"
RICH_LOGISTIC = "logistic_all_features"
ELIGIBLE, ALL = "eligible", "all"

Floats = NDArray[np.float64]
Row = tuple[date, str, str, str, float, float | None, float | None]

_ROW_SCHEMA = {
    "fold": pl.Date,
    "population": pl.String,
    "model": pl.String,
    "metric": pl.String,
    "value": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
}


@dataclass(frozen=True)
class Protocol:
    """What a fold's evaluation needs to know beside the data.

    `window_days` is lead plus horizon; `capacity` the users a campaign can contact (recall_at_capacity).
    """

    window_days: int
    capacity: int
    resamples: int = 1000
    seed: int = 0
    parameters: BoostingParameters | None = None


@dataclass(frozen=True)
class FoldEvaluation:
    """One fold's result.

    `predictions`: grain eligible user of the fold, in the order of the frame given: its key columns, snapshot_date,
    churned, and one probability column per model; `everyone` likewise of all customers, None where they were not given.
    `rows`: grain (fold, population, model, metric) with value, lower, upper.

    Of the eligible only, since models learn from these: psi, from the training rows before the season's part, with the
    chance in the fold's users as its interval; and without interval in_sample_auc, the mean over the training snapshots
    of the AUC on their own rows, and of the champion in_sample_ and out_of_sample_ of the AUC and each of
    FITTED_METRICS (core/held_out.py). auc_surplus is by how much the champion's AUC exceeds its in_sample_auc, less
    what the recency rule, which cannot overfit, exceeds its own by: customers of the fold who are easier to tell apart
    are so for the rule too. Above 0 it asks for an explanation, such as a leak.

    Metrics ending in `_gain` stand in a baseline's row and tell by how much the champion is better than it (paired over
    users, positive = champion better). The baselines BGNBD and RHYTHM_RULE take part where the frame has their columns.
    """

    fold: date
    champion: ChurnModel
    capacity: int
    users: int
    churn_rate: float
    training_rows: int
    training_snapshots: tuple[date, ...]
    predictions: pl.DataFrame
    everyone: pl.DataFrame | None
    rows: pl.DataFrame


def evaluate_fold(
    frame: pl.DataFrame,
    fold: date,
    features: Sequence[str],
    protocol: Protocol,
    everyone: pl.DataFrame | None = None,
) -> FoldEvaluation:
    """Train the recipe and the baselines on the snapshots purged for `fold`, and score the fold's users.

    Args:
        frame: one row per eligible user and snapshot with user_id, snapshot_date, churned (0 or 1), the features
            (recency_days among them), and any key columns. Snapshots whose label window reaches beyond `fold` are left
            out of training.
        fold: a snapshot_date of the frame.
        features: the columns to train on.
        everyone: the same columns for all customers of the fold, eligible or not, to be tested on as population ALL.

    Raises:
        InputError: a column is missing or cannot be a feature.
        NotEnoughData: the frame has no row of the fold, no snapshot closed by it, or one class only.
    """
    _check_columns(frame, features)
    training = frame.filter(closed_by(frame["snapshot_date"], fold, protocol.window_days))
    test = frame.filter(pl.col("snapshot_date") == fold)
    _check_enough(frame, training, test, fold, protocol.window_days)
    models = _Models.trained(training, features, protocol)
    rows, predictions = _on_eligible(fold, training, test, features, models, protocol)
    scored = None
    if everyone is not None:
        of_everyone = models.scores(everyone, models.champion.predict_margin(everyone))
        rows += _tested(fold, ALL, everyone["churned"].to_numpy(), of_everyone, protocol)
        scored = _predictions(everyone, features, of_everyone)
    return FoldEvaluation(
        fold=fold,
        champion=models.champion,
        capacity=protocol.capacity,
        users=test.height,
        churn_rate=float(test["churned"].to_numpy().mean()),
        training_rows=training.height,
        training_snapshots=tuple(sorted(training["snapshot_date"].unique().to_list())),
        predictions=predictions,
        everyone=scored,
        rows=pl.DataFrame(rows, schema=_ROW_SCHEMA, orient="row"),
    )


def plain_features(features: Sequence[str]) -> list[str]:
    """What the baseline LOGISTIC sees: recency, and the windows of frequency and spend.

    RICH_LOGISTIC sees every feature; it is the part of the champion that is a logistic regression, scored alone.
    """
    return [name for name in features if name == "recency_days" or name.startswith(("orders_", "spend_"))]


@dataclass(frozen=True)
class _Models:
    """The champion and the baselines, trained on the same rows; `rhythm` and `bgnbd` are None where these lack their
    columns."""

    champion: ChurnModel
    rule: RecencyRule
    rhythm: RhythmRule | None
    logistic: LogisticBaseline
    bgnbd: BetaGeometricScorer | None

    @classmethod
    def trained(cls, training: pl.DataFrame, features: Sequence[str], protocol: Protocol) -> Self:
        outcome, days, window_days = training["churned"].to_numpy(), training["snapshot_date"], protocol.window_days
        champion = ChurnModel.train(
            training.select(features), outcome, days, window_days=window_days, parameters=protocol.parameters
        )
        recency, lacking = training["recency_days"].to_numpy(), missing_history(training)
        return cls(
            champion,
            RecencyRule.fit(recency, outcome),
            RhythmRule.fit(recency, training[USUAL_GAP].to_numpy(), outcome) if USUAL_GAP in training.columns else None,
            LogisticBaseline.fit(training.select(plain_features(features)), outcome),
            None if lacking else BetaGeometricScorer.fit(training, outcome, days, window_days=window_days),
        )

    def scores(self, users: pl.DataFrame, margin: Floats) -> dict[str, Floats]:
        """Model → churn probability per user; `margin` is the champion's."""
        recency = users["recency_days"].to_numpy()
        probabilities = {
            CHAMPION: self.champion.probability(margin, users["snapshot_date"]),
            RECENCY_RULE: self.rule.predict(recency),
            LOGISTIC: self.logistic.predict(users),
            RICH_LOGISTIC: self.champion.logistic.predict(users),
        }
        if self.rhythm:
            probabilities[RHYTHM_RULE] = self.rhythm.predict(recency, users[USUAL_GAP].to_numpy())
        if self.bgnbd:
            probabilities[BGNBD] = self.bgnbd.predict(users)
        return probabilities


def _predictions(users: pl.DataFrame, features: Sequence[str], probabilities: dict[str, Floats]) -> pl.DataFrame:
    return users.drop(features).with_columns(pl.Series(name, p) for name, p in probabilities.items())


def _on_eligible(
    fold: date,
    training: pl.DataFrame,
    test: pl.DataFrame,
    features: Sequence[str],
    models: _Models,
    protocol: Protocol,
) -> tuple[list[Row], pl.DataFrame]:
    """Every row of the population ELIGIBLE, and the predictions."""
    champion = models.champion
    margins = champion.predict_margin(training), champion.predict_margin(test)
    in_sample, out_of_time = models.scores(training, margins[0]), models.scores(test, margins[1])
    compared = {model: (in_sample[model], probability) for model, probability in out_of_time.items()}
    compared[CHAMPION] = margins  # what the season adds is no drift of the customers
    drift = {
        model: psi_interval(*scores, resamples=protocol.resamples, seed=protocol.seed)
        for model, scores in compared.items()
    }
    fitted = fitted_metrics(champion, training, margins[0])
    held_out = held_out_metrics(training, features, champion, protocol.window_days, protocol.parameters)
    rows = [
        *_tested(fold, ELIGIBLE, test["churned"].to_numpy(), out_of_time, protocol),
        *_against_training(fold, training, in_sample, drift),
        *_of_champion(fold, {f"in_sample_{metric}": value for metric, value in fitted.items()}),
        *_of_champion(fold, {f"out_of_sample_{metric}": value for metric, value in held_out.items()}),
    ]
    return [*rows, _surplus(rows)], _predictions(test, features, out_of_time)


def _tested(
    fold: date, population: str, outcome: Floats, probabilities: dict[str, Floats], protocol: Protocol
) -> list[Row]:
    """Every metric of every model on the same users, and the champion's gains over each baseline."""
    found = evaluate_models(
        outcome,
        probabilities,
        capacity=protocol.capacity,
        gains=DIRECTED,
        resamples=protocol.resamples,
        seed=protocol.seed,
    )
    return [
        (fold, population, model, metric, interval.value, interval.lower, interval.upper)
        for model, intervals in found.items()
        for metric, interval in intervals.items()
    ]


def _against_training(
    fold: date, training: pl.DataFrame, in_sample: dict[str, Floats], drift: dict[str, Interval]
) -> list[Row]:
    outcome = training["churned"].to_numpy()
    rows: list[Row] = []
    for model, probability in in_sample.items():
        moved = drift[model]
        rows.append((fold, ELIGIBLE, model, "psi", moved.value, moved.lower, moved.upper))
        if model != CHAMPION:
            learnt = snapshot_means(training["snapshot_date"], outcome, probability, ["auc"])["auc"]
            rows.append((fold, ELIGIBLE, model, "in_sample_auc", learnt, None, None))
    return rows


def _of_champion(fold: date, found: dict[str, float]) -> list[Row]:
    """Figures of the champion that have no interval."""
    return [(fold, ELIGIBLE, CHAMPION, metric, value, None, None) for metric, value in found.items()]


def _surplus(rows: Sequence[Row]) -> Row:
    """The champion's auc_surplus; its interval is that of the AUC out of time."""
    found = {(row[2], row[3]): row for row in rows}
    value_of = {key: row[4] for key, row in found.items()}
    easier = value_of[RECENCY_RULE, "auc"] - value_of[RECENCY_RULE, "in_sample_auc"]
    usual = value_of[CHAMPION, "in_sample_auc"] + max(0.0, easier)
    fold, _, _, _, value, lower, upper = found[CHAMPION, "auc"]
    return (
        fold,
        ELIGIBLE,
        CHAMPION,
        "auc_surplus",
        value - usual,
        None if lower is None else lower - usual,
        None if upper is None else upper - usual,
    )


def _check_columns(frame: pl.DataFrame, features: Sequence[str]) -> None:
    for name in ("user_id", "snapshot_date", "churned", "recency_days", *features):
        if name not in frame.columns:
            raise InputError(f"The training set lacks the column '{name}'.{suggest(name, frame.columns)}")
    leaking = sorted({"snapshot_date", "churned"} & set(features))
    if leaking:
        raise InputError(f"Not a feature: {', '.join(leaking)}. Take it out of the features, it would leak the answer.")


def _check_enough(
    frame: pl.DataFrame, training: pl.DataFrame, test: pl.DataFrame, fold: date, window_days: int
) -> None:
    days = sorted(frame["snapshot_date"].unique().to_list())
    exist = f"{len(days)} snapshots from {days[0]} to {days[-1]}" if days else "no snapshot"
    if not test.height:
        raise NotEnoughData(f"No labelled user at the fold {fold}; the training set has {exist}. Choose one of these.")
    if not training.height:
        raise NotEnoughData(
            f"No snapshot's label window of {window_days} days ends by the fold {fold}; the training set has {exist}. "
            "Choose a later fold or load a longer history."
        )
    for which, rows in (("the training snapshots", training), (f"the fold {fold}", test)):
        if rows["churned"].n_unique() < 2:
            same = "churned" if rows["churned"].to_numpy().any() else "stayed"
            raise NotEnoughData(
                f"All {rows.height} customers of {which} {same}, so no model can be trained and tested. Load a longer "
                "history, or change [churn] in churn.toml, such as horizon_days, until some churn and some stay."
            )
