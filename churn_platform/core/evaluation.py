"""How the recipe and its baselines do out of time: trained on what was known at a fold's date, scored on its users."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.core.bgnbd_scorer import BGNBD, BetaGeometricScorer, missing_history
from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.logistic_baseline import LogisticBaseline
from churn_platform.core.metrics import Interval, auc, evaluate, paired_gain
from churn_platform.core.psi import psi
from churn_platform.core.purging import closed_by
from churn_platform.core.recency_rule import RecencyRule
from churn_platform.errors import InputError, NotEnoughData, suggest

CHAMPION = "churn_model"
RECENCY_RULE = "recency_rule"
LOGISTIC = "logistic"
RICH_LOGISTIC = "logistic_all_features"
GAINS = ("auc", "pr_auc", "log_loss")

Floats = NDArray[np.float64]

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
    population: str = "eligible"
    resamples: int = 1000
    seed: int = 0
    parameters: BoostingParameters | None = None


@dataclass(frozen=True)
class FoldEvaluation:
    """One fold's result.

    `predictions`: grain user of the fold, in the order of the frame given: its key columns, snapshot_date, churned,
    and one probability column per model. `rows`: grain (fold, population, model, metric) with value, lower, upper;
    the interval is null for in_sample_auc, the mean over the training snapshots of the AUC on their own rows, and
    psi, from the training rows before the season's part. Metrics ending in `_gain` stand in a baseline's row and tell
    by how much the champion is better than it (paired over users, positive = champion better). The baseline BGNBD
    takes part where the frame has its columns.
    """

    fold: date
    champion: ChurnModel
    users: int
    churn_rate: float
    training_rows: int
    training_snapshots: tuple[date, ...]
    predictions: pl.DataFrame
    rows: pl.DataFrame


def evaluate_fold(frame: pl.DataFrame, fold: date, features: Sequence[str], protocol: Protocol) -> FoldEvaluation:
    """Train the recipe and the baselines on the snapshots purged for `fold`, and score the fold's users.

    Args:
        frame: one row per user and snapshot with snapshot_date, churned (0 or 1), the features (recency_days among
            them), and any key columns. Snapshots whose label window reaches beyond `fold` are left out of training.
        fold: a snapshot_date of the frame.
        features: the columns to train on.

    Raises:
        InputError: a column is missing or cannot be a feature.
        NotEnoughData: the frame has no row of the fold, no snapshot closed by it, or one class only.
    """
    _check_columns(frame, features)
    training = frame.filter(closed_by(frame["snapshot_date"], fold, protocol.window_days))
    test = frame.filter(pl.col("snapshot_date") == fold)
    _check_enough(frame, training, test, fold, protocol.window_days)
    champion = ChurnModel.train(
        training.select(features),
        training["churned"].to_numpy(),
        training["snapshot_date"],
        window_days=protocol.window_days,
        parameters=protocol.parameters,
    )
    rule = RecencyRule.fit(training["recency_days"].to_numpy(), training["churned"].to_numpy())
    logistic = LogisticBaseline.fit(training.select(plain_features(features)), training["churned"].to_numpy())
    bgnbd = _bgnbd(training, protocol.window_days)

    def scores(users: pl.DataFrame, margin: Floats) -> dict[str, Floats]:
        probabilities = {
            CHAMPION: champion.probability(margin, users["snapshot_date"]),
            RECENCY_RULE: rule.predict(users["recency_days"].to_numpy()),
            LOGISTIC: logistic.predict(users),
            RICH_LOGISTIC: champion.logistic.predict(users),
        }
        return {**probabilities, BGNBD: bgnbd.predict(users)} if bgnbd else probabilities

    margins = champion.predict_margin(training), champion.predict_margin(test)
    in_sample, out_of_time = scores(training, margins[0]), scores(test, margins[1])
    drift = {model: psi(in_sample[model], probability) for model, probability in out_of_time.items()}
    drift[CHAMPION] = psi(*margins)  # what the season adds is no drift of the customers
    return FoldEvaluation(
        fold=fold,
        champion=champion,
        users=test.height,
        churn_rate=float(test["churned"].to_numpy().mean()),
        training_rows=training.height,
        training_snapshots=tuple(sorted(training["snapshot_date"].unique().to_list())),
        predictions=test.drop(features).with_columns(pl.Series(name, p) for name, p in out_of_time.items()),
        rows=_rows(fold, protocol, test, out_of_time, training=training, in_sample=in_sample, drift=drift),
    )


def plain_features(features: Sequence[str]) -> list[str]:
    """What the baseline LOGISTIC sees: recency, and the windows of frequency and spend.

    RICH_LOGISTIC sees every feature; it is the part of the champion that is a logistic regression, scored alone.
    """
    return [name for name in features if name == "recency_days" or name.startswith(("orders_", "spend_"))]


def _bgnbd(training: pl.DataFrame, window_days: int) -> BetaGeometricScorer | None:
    if missing_history(training):
        return None
    outcome = training["churned"].to_numpy()
    return BetaGeometricScorer.fit(training, outcome, training["snapshot_date"], window_days=window_days)


def _rows(
    fold: date,
    protocol: Protocol,
    test: pl.DataFrame,
    out_of_time: dict[str, Floats],
    *,
    training: pl.DataFrame,
    in_sample: dict[str, Floats],
    drift: dict[str, float],
) -> pl.DataFrame:
    later, outcome = test["churned"].to_numpy(), training["churned"].to_numpy()
    rows: list[tuple[date, str, str, str, float, float | None, float | None]] = []

    def add(model: str, metric: str, interval: Interval) -> None:
        rows.append((fold, protocol.population, model, metric, interval.value, interval.lower, interval.upper))

    for model, probability in out_of_time.items():
        intervals = evaluate(
            later, probability, capacity=protocol.capacity, resamples=protocol.resamples, seed=protocol.seed
        )
        for metric, interval in intervals.items():
            add(model, metric, interval)
        learnt = _mean_auc(training["snapshot_date"], outcome, in_sample[model])
        rows.append((fold, protocol.population, model, "in_sample_auc", learnt, None, None))
        rows.append((fold, protocol.population, model, "psi", drift[model], None, None))
    for baseline in [model for model in out_of_time if model != CHAMPION]:
        for metric in GAINS:
            gain = paired_gain(
                later,
                out_of_time[CHAMPION],
                out_of_time[baseline],
                metric,
                resamples=protocol.resamples,
                seed=protocol.seed,
            )
            add(baseline, f"{metric}_gain", gain)
    return pl.DataFrame(rows, schema=_ROW_SCHEMA, orient="row")


def _mean_auc(snapshot_date: pl.Series, outcome: Floats, probability: Floats) -> float:
    """Over the snapshots on which somebody churned and somebody stayed (a fold is one snapshot too), else over all."""
    days = snapshot_date.to_numpy()
    each = [days == day for day in np.unique(days)]
    mixed = [at for at in each if len(np.unique(outcome[at])) > 1] or [np.ones(len(days), dtype=np.bool_)]
    return float(np.mean([auc(outcome[at], probability[at]) for at in mixed]))


def _check_columns(frame: pl.DataFrame, features: Sequence[str]) -> None:
    for name in ("snapshot_date", "churned", "recency_days", *features):
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
