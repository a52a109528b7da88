"""From a frame of features to the numbers that models train on."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from churn_platform.errors import InputError, NotEnoughData, suggest


def feature_matrix(features: pl.DataFrame, names: Sequence[str]) -> NDArray[np.float32]:
    """The named columns in that order, shape (rows, names), null as NaN.

    Raises:
        InputError: a column is missing, is not numeric or boolean, or holds an infinite value.
    """
    missing = [name for name in names if name not in features.columns]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(names)} features that the model was trained on are missing: {', '.join(missing)}."
            f"{suggest(missing[0], features.columns)} Rebuild the features, or train a new model on those that exist."
        )
    wrong = [
        f"{name} ({features.schema[name]})"
        for name in names
        if not (features.schema[name].is_numeric() or features.schema[name] in (pl.Boolean, pl.Null))
    ]
    if wrong:
        raise InputError(f"Features must be numeric or boolean, but these are not: {', '.join(wrong)}.")
    numbers = features.select(pl.col(names).cast(pl.Float32).fill_null(float("nan")))
    matrix: NDArray[np.float32] = numbers.to_numpy(order="c")
    infinite = [names[position] for position in np.flatnonzero(np.isinf(matrix).any(axis=0)).tolist()]
    if infinite:
        raise InputError(f"Infinite values in: {', '.join(infinite)}. Use null where a ratio is undefined.")
    return matrix


def split_by_information(features: pl.DataFrame) -> tuple[list[str], list[str]]:
    """(columns that vary, columns that do not), each in the frame's order.

    A column does not vary if all its rows are null or all hold the same value; null beside one value varies.
    """
    varies: list[str] = []
    constant: list[str] = []
    for column in features.iter_columns():
        values = column.fill_nan(None) if column.dtype.is_float() else column
        (varies if values.n_unique() > 1 else constant).append(column.name)
    return varies, constant


def trainable(features: pl.DataFrame, churned: ArrayLike) -> tuple[NDArray[np.float64], list[str], list[str]]:
    """(outcomes, columns that vary, columns that do not), once it is clear that a model can be trained.

    Raises:
        InputError: outcomes and rows differ in number, or an outcome is neither 0 nor 1.
        NotEnoughData: one class only, or no column varies.
    """
    outcome = np.asarray(churned, dtype=np.float64)
    if outcome.shape != (features.height,) or not np.isin(outcome, (0.0, 1.0)).all():
        raise InputError(
            f"Expected one outcome, 0 (stayed) or 1 (churned), per row of features; got {features.height} rows and "
            f"outcomes of shape {outcome.shape} with values {np.unique(outcome)[:5].tolist()}."
        )
    varying, constant = split_by_information(features)
    if not varying or len(np.unique(outcome)) < 2:
        raise NotEnoughData(
            f"Training needs churners, stayers and a feature that varies; {len(outcome)} rows hold "
            f"{int(outcome.sum())} churners and {len(varying)} such features. Load a longer "
            "history, or change [churn] in churn.toml, such as horizon_days, until some churn and some stay."
        )
    return outcome, varying, constant
