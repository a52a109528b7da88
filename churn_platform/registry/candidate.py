"""A candidate: trained on every closed label, evaluated out of time, kept under the hash of what it was made from."""

import hashlib
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from math import nan
from typing import Any

import polars as pl
from pydantic import TypeAdapter

from churn_platform.core import (
    bgnbd,
    bgnbd_scorer,
    binning,
    churn_model,
    contributions,
    evaluation,
    feature_matrix,
    gradient_boosting,
    logistic_baseline,
    matched_loss,
    metrics,
    psi,
    purging,
    recency_rule,
    season,
)
from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.evaluation import CHAMPION, FoldEvaluation, Protocol, evaluate_fold
from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.snapshots import SnapshotPlan
from churn_platform.core.tuning import Tuning
from churn_platform.registry.store import ModelStore

LIBRARIES = ("xgboost-cpu", "xgboost", "scikit-learn", "numpy", "polars")
RECIPE = (
    bgnbd, bgnbd_scorer, binning, churn_model, contributions, evaluation, feature_matrix, gradient_boosting,
    logistic_baseline, matched_loss, metrics, psi, purging, recency_rule, season,
)  # fmt: skip


def candidate_version(
    frame: pl.DataFrame,
    features: Sequence[str],
    plan: SnapshotPlan,
    definition_version: str,
    parameters: BoostingParameters | None = None,
) -> str:
    """Hash of what decides the model and its tests: rows, features, training snapshots, folds, definition, recipe, and
    the trees' parameters where they are not the recipe's own."""
    digest = digest_of_rows(frame)
    sources = [inspect.getsource(module) for module in RECIPE]
    decided = [*_iso(plan.labelled, plan.folds), list(features), definition_version, sources]
    digest.update(json.dumps([*decided, asdict(parameters)] if parameters else decided).encode())
    return digest.hexdigest()[:12]


def digest_of_rows(frame: pl.DataFrame) -> "hashlib._Hash":
    """The sha256 of a frame's column names and values, whatever the width of its numbers, to be updated further."""
    digest = hashlib.sha256()
    for column in frame.iter_columns():
        values = (
            column.cast(pl.Float64).fill_null(nan)
            if column.dtype.is_numeric()
            else column.cast(pl.String).fill_null("")
        )
        content = values.to_numpy().tobytes() if column.dtype.is_numeric() else "\x1f".join(values).encode()
        digest.update(column.name.encode() + content)
    return digest


def train_candidate(
    frame: pl.DataFrame,
    features: Sequence[str],
    *,
    window_days: int,
    name: str,
    definition_version: str,
    store: ModelStore,
    tuning: Tuning | None = None,
) -> dict[str, Any]:
    """Train on all rows and save under `name`.

    Args:
        frame: grain (snapshot_date, user_id), ordered, with `churned` and the features as of the snapshot; the training
            snapshots only.
        window_days: lead plus horizon.
        tuning: where the trees' parameters come from; None for the defaults.

    Returns:
        The manifest's description of the training.

    Raises:
        NotEnoughData: one class only, or no feature varies.
    """
    parameters = tuning.parameters if tuning else BoostingParameters()
    model = ChurnModel.train(
        frame.select(features),
        frame["churned"].to_numpy(),
        frame["snapshot_date"],
        window_days=window_days,
        parameters=parameters,
    )
    training = model.report.to_dict()
    manifest = {
        "definition_version": definition_version,
        "features": list(model.features),
        "training": training,
        "parameters": asdict(parameters),
        "tuning": TypeAdapter(Tuning).dump_python(tuning, mode="json") if tuning else None,
        "libraries": _installed(),
    }
    store.save(name, model.save(), manifest)
    return training


def evaluate_candidate(
    frame: pl.DataFrame,
    features: Sequence[str],
    plan: SnapshotPlan,
    *,
    protocol: Protocol,
    name: str,
    eligible: Mapping[date, int],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables of `evaluate_folds`.

    Args:
        eligible: fold → labelled customers of it, of whom `coverage` is the share that was scored.

    Returns:
        Rows of the table model_evaluation: (model_version, fold, population, model, metric) with value, lower, upper;
        and the predictions: fold, user_id, churned, probability (the candidate's).

    Raises:
        NotEnoughData: a fold has nothing to learn from.
    """
    tables: list[pl.DataFrame] = []
    predictions: list[pl.DataFrame] = []
    for found in evaluate_folds(frame, features, plan, protocol):
        facts = {
            "users": float(found.users),
            "churn_rate": found.churn_rate,
            "training_rows": float(found.training_rows),
            "capacity": float(protocol.capacity),
            "coverage": found.users / eligible[found.fold],
        }
        rows = [
            (found.fold, protocol.population, CHAMPION, metric, value, None, None) for metric, value in facts.items()
        ]
        tables += [found.rows, pl.DataFrame(rows, schema=found.rows.schema, orient="row")]
        predictions.append(
            found.predictions.select("user_id", "churned", fold="snapshot_date", probability=pl.col(CHAMPION))
        )
    return pl.concat(tables).select(pl.lit(name).alias("model_version"), pl.all()), pl.concat(predictions)


def evaluate_folds(
    frame: pl.DataFrame, features: Sequence[str], plan: SnapshotPlan, protocol: Protocol
) -> Iterator[FoldEvaluation]:
    """Evaluate the recipe at every fold, each time trained only on training snapshots whose labels had closed by then.

    Args:
        frame: grain (snapshot_date, user_id), with the snapshots of `plan.examined`.

    Raises:
        NotEnoughData: a fold has nothing to learn from.
    """
    for fold in plan.folds:
        yield evaluate_fold(
            frame.filter(pl.col("snapshot_date").is_in([*plan.labelled, fold])), fold, features, protocol
        )


def _iso(*dates: Sequence[date]) -> list[list[str]]:
    return [[day.isoformat() for day in group] for group in dates]


def _installed() -> dict[str, str]:
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
