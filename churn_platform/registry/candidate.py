"""A candidate: trained on every closed label, evaluated out of time, kept under the hash of what it was made from."""

import hashlib
import inspect
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from math import nan
from typing import Any

import polars as pl
from pydantic import TypeAdapter

from churn_platform.core import (
    bgnbd,
    bgnbd_scorer,
    binning,
    calibration_line,
    churn_model,
    contributions,
    curves,
    evaluation,
    feature_matrix,
    gradient_boosting,
    held_out,
    logistic_baseline,
    matched_loss,
    maximum_profit,
    metrics,
    psi,
    purging,
    ranked_users,
    recency_rule,
    rhythm_rule,
    season,
    snapshot_means,
)
from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.curves import wilson_interval
from churn_platform.core.evaluation import ALL, CHAMPION, ELIGIBLE, FoldEvaluation, Protocol, evaluate_fold
from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.snapshots import SnapshotPlan
from churn_platform.core.tuning import Tuning
from churn_platform.registry.store import ModelStore

LIBRARIES = ("xgboost-cpu", "xgboost", "scikit-learn", "scipy", "numpy", "polars", "duckdb")
RECIPE = (
    bgnbd, bgnbd_scorer, binning, calibration_line, churn_model, contributions, curves, evaluation, feature_matrix,
    gradient_boosting, held_out, logistic_baseline, matched_loss, maximum_profit, metrics, psi, purging,
    ranked_users, recency_rule, rhythm_rule, season, snapshot_means,
)  # fmt: skip


def candidate_version(
    frame: pl.DataFrame,
    features: Sequence[str],
    plan: SnapshotPlan,
    definition_version: str,
    everyone: pl.DataFrame | None = None,
    *,
    parameters: BoostingParameters | None = None,
) -> str:
    """Hash of what decides the model and its tests: rows, features, training snapshots, folds, definition, recipe, the
    libraries' versions, and the trees' parameters where they are not the recipe's own.

    `everyone`: the customers whom `evaluate_candidate` tests on beside the eligible.
    """
    digest = digest_of_rows(frame, *([] if everyone is None else [everyone]))
    decided = [*_iso(plan.labelled, plan.folds), list(features), definition_version, _recipe_hash(), _installed()]
    digest.update(json.dumps([*decided, asdict(parameters)] if parameters else decided).encode())
    return digest.hexdigest()[:12]


def digest_of_rows(*frames: pl.DataFrame) -> "hashlib._Hash":
    """The sha256 of the frames' column names and values, whatever the width of their numbers, to be updated further."""
    digest = hashlib.sha256()
    for column in chain.from_iterable(frame.iter_columns() for frame in frames):
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
    available_rows: int | None = None,
) -> dict[str, Any]:
    """Train on all rows and save under `name`.

    Args:
        frame: grain (snapshot_date, user_id), ordered, with `churned` and the features as of the snapshot; the training
            snapshots only.
        window_days: lead plus horizon.
        tuning: where the trees' parameters come from; None for the defaults.
        available_rows: how many there were before the frame was sampled; None where it was not.

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
    training = model.report.to_dict() | {"available_rows": available_rows or frame.height}
    manifest = {
        "definition_version": definition_version,
        "features": list(model.features),
        "training": training,
        "data": {"rows": frame.height, "sha256": digest_of_rows(frame).hexdigest()},
        "code": {"version": version("churn-platform"), "recipe_sha256": _recipe_hash()},
        "seeds": list(range(parameters.seeds)),
        "parameters": asdict(parameters),
        "tuning": TypeAdapter(Tuning).dump_python(tuning, mode="json") if tuning else None,
        "libraries": _installed() | {"python": platform.python_version()},
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
    labelled: Mapping[tuple[str, date], int],
    everyone: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables of `evaluate_folds`.

    Args:
        labelled: (population, fold) → customers of it with a label, of whom `coverage` is the share that was scored.

    Returns:
        Rows of the table model_evaluation: (model_version, fold, population, model, metric) with value, lower, upper;
        and the predictions: fold, user_id, is_eligible, churned, probability (the candidate's), of everyone if given.

    Raises:
        NotEnoughData: a fold has nothing to learn from.
    """
    tables: list[pl.DataFrame] = []
    predictions: list[pl.DataFrame] = []
    for found in evaluate_folds(frame, features, plan, protocol, everyone):
        tables += [found.rows, _facts(found, protocol, labelled)]
        predictions.append(_kept_predictions(found))
    return pl.concat(tables).select(pl.lit(name).alias("model_version"), pl.all()), pl.concat(predictions)


def evaluate_folds(
    frame: pl.DataFrame,
    features: Sequence[str],
    plan: SnapshotPlan,
    protocol: Protocol,
    everyone: pl.DataFrame | None = None,
) -> Iterator[FoldEvaluation]:
    """Evaluate the recipe at every fold, each time trained only on training snapshots whose labels had closed by then.

    Args:
        frame: grain (snapshot_date, user_id), with the snapshots of `plan.examined`.
        everyone: the same columns for all customers of `plan.folds`, eligible or not.

    Raises:
        NotEnoughData: a fold has nothing to learn from.
    """
    for fold in plan.folds:
        yield evaluate_fold(
            frame.filter(pl.col("snapshot_date").is_in([*plan.labelled, fold])),
            fold,
            features,
            protocol,
            None if everyone is None else everyone.filter(snapshot_date=fold),
        )


def _facts(found: FoldEvaluation, protocol: Protocol, labelled: Mapping[tuple[str, date], int]) -> pl.DataFrame:
    """What the metrics of a fold were measured on, as rows of the candidate; coverage with its Wilson interval."""
    facts: list[tuple[str, str, float, float | None, float | None]] = [
        (ELIGIBLE, "training_rows", float(found.training_rows), None, None),
        (ELIGIBLE, "capacity", float(protocol.capacity), None, None),
    ]
    for population, scored in ((ELIGIBLE, found.predictions), (ALL, found.everyone)):
        if scored is not None:
            asked = labelled[population, found.fold]
            coverage = scored.height / asked
            lower, upper = wilson_interval(coverage, asked)
            facts += [
                (population, "users", float(scored.height), None, None),
                (population, "churn_rate", float(scored["churned"].to_numpy().mean()), None, None),
                (population, "coverage", coverage, float(lower), float(upper)),
            ]
    rows = [(found.fold, population, CHAMPION, *figure) for population, *figure in facts]
    return pl.DataFrame(rows, schema=found.rows.schema, orient="row")


def _kept_predictions(found: FoldEvaluation) -> pl.DataFrame:
    eligible = pl.col("user_id").is_in(found.predictions["user_id"].implode())
    scored = found.predictions if found.everyone is None else found.everyone
    return scored.select("user_id", "churned", fold="snapshot_date", probability=pl.col(CHAMPION), is_eligible=eligible)


def _recipe_hash() -> str:
    return hashlib.sha256("\n".join(inspect.getsource(module) for module in RECIPE).encode()).hexdigest()


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
