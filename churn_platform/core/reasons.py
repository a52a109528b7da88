"""Why a user is scored as they are, in the shop's words: associations, never causes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.core.bgnbd_scorer import BGNBD
from churn_platform.core.contributions import Contributions
from churn_platform.errors import InputError

REASONS = 3
_ONE_DECIMAL_FROM = 10


@dataclass(frozen=True)
class ReasonTemplate:
    """How one feature is told: the `family` it is counted in, and a `text` in which {value} is the user's value,
    such as 'last order {value} days ago'."""

    family: str
    text: str


# Parts of a margin that are no column of the features; their text has no {value}.
MODEL_PARTS: Mapping[str, ReasonTemplate] = {BGNBD: ReasonTemplate("rhythm", "number and timing of purchases so far")}


def top_reasons(
    contributions: Contributions, features: pl.DataFrame, catalogue: Mapping[str, ReasonTemplate]
) -> pl.DataFrame:
    """The three families of features that push a user most towards churn.

    A family's contribution is the sum of its features', in log-odds; its text tells the feature that moved most in
    the direction of the sum, of those that have a value; a family without any is told as having no history. If fewer
    than three families push towards churn, the next-largest follow, and their text says that they speak for staying.
    Ties go by name.

    Args:
        contributions: of the model, one row per user.
        features: the same users in the same order, with the features' values.
        catalogue: feature → template; it must cover every feature of the model, and may tell MODEL_PARTS in its own
            words.

    Returns:
        One row per user, in order: reason_1_code, reason_1_text, reason_1_contribution, and the same for 2 and 3.

    Raises:
        InputError: rows differ in number, a feature has no template, or the features form fewer than 3 families.
    """
    catalogue = {**MODEL_PARTS, **catalogue}
    _check(contributions, features, catalogue)
    names = sorted(contributions.features)
    column = {name: position for position, name in enumerate(contributions.features)}
    by_name = contributions.values[:, [column[name] for name in names]]
    families = sorted({catalogue[name].family for name in names})
    members = {family: [i for i, name in enumerate(names) if catalogue[name].family == family] for family in families}
    totals = np.column_stack([by_name[:, members[family]].sum(axis=1) for family in families])
    known = np.column_stack([_known(features, name) for name in names])
    spokesman = np.column_stack(
        [_spokesman(by_name[:, members[family]], known[:, members[family]], members[family]) for family in families]
    )
    ranking = np.argsort(-totals, axis=1, kind="stable")[:, :REASONS]
    rows = np.arange(features.height)
    result: dict[str, pl.Series] = {}
    for rank in range(REASONS):
        family = ranking[:, rank]
        contribution = totals[rows, family]
        chosen = spokesman[rows, family]
        texts = _texts([names[i] for i in chosen], known[rows, chosen], contribution, features, catalogue)
        result[f"reason_{rank + 1}_code"] = pl.Series([families[i] for i in family], dtype=pl.String)
        result[f"reason_{rank + 1}_text"] = pl.Series(texts, dtype=pl.String)
        result[f"reason_{rank + 1}_contribution"] = pl.Series(contribution, dtype=pl.Float64)
    return pl.DataFrame(result)


def rhythm_reasons(contributions: Contributions) -> pl.DataFrame:
    """The one reason of a BG/NBD that scores alone; the columns of `top_reasons`, 2 and 3 null."""
    template = MODEL_PARTS[BGNBD]
    contribution = contributions.values.sum(axis=1)
    rows = len(contribution)
    texts = [f"{template.text}: {_direction(pushes)}" for pushes in contribution > 0]
    reasons = {
        "reason_1_code": pl.Series([template.family] * rows, dtype=pl.String),
        "reason_1_text": pl.Series(texts, dtype=pl.String),
        "reason_1_contribution": pl.Series(contribution, dtype=pl.Float64),
    }
    for rank in range(2, REASONS + 1):
        reasons[f"reason_{rank}_code"] = pl.Series([None] * rows, dtype=pl.String)
        reasons[f"reason_{rank}_text"] = pl.Series([None] * rows, dtype=pl.String)
        reasons[f"reason_{rank}_contribution"] = pl.Series([None] * rows, dtype=pl.Float64)
    return pl.DataFrame(reasons)


def _direction(pushes: bool) -> str:
    return "associated with a higher churn risk" if pushes else "speaks for staying"


def _known(features: pl.DataFrame, name: str) -> NDArray[np.bool_]:
    """Per user, whether the feature has a value; a part of the model that is no column has one."""
    if name not in features.columns:
        return np.ones(features.height, dtype=np.bool_)
    column = features.get_column(name)
    return (column.fill_nan(None) if column.dtype.is_float() else column).is_not_null().to_numpy()


def _spokesman(values: NDArray[np.float64], known: NDArray[np.bool_], members: list[int]) -> NDArray[np.int64]:
    """Per user, the index of the known member that moved most in the direction of the members' sum; else of any."""
    direction = np.where(values.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    moved = np.where(known | ~known.any(axis=1, keepdims=True), values * direction, -np.inf)
    return np.asarray(np.array(members)[np.argmax(moved, axis=1)])


def _texts(
    chosen: list[str],
    known: NDArray[np.bool_],
    contribution: NDArray[np.float64],
    features: pl.DataFrame,
    catalogue: Mapping[str, ReasonTemplate],
) -> list[str]:
    with_value = {name for name in chosen if "{value}" in catalogue[name].text}
    values = {name: features.get_column(name).to_list() for name in with_value}
    texts = []
    for row, (name, pushes) in enumerate(zip(chosen, contribution > 0, strict=True)):
        told = catalogue[name].text if known[row] else f"no {catalogue[name].family} history"
        if known[row] and name in with_value:
            told = told.replace("{value}", _told(values[name][row]))
        texts.append(f"{told}: {_direction(pushes)}")
    return texts


def _told(value: float | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    number = float(value)
    if number == round(number):
        return f"{number:,.0f}"
    return f"{number:,.1f}" if abs(number) >= _ONE_DECIMAL_FROM else f"{number:,.2f}"


def _check(contributions: Contributions, features: pl.DataFrame, catalogue: Mapping[str, ReasonTemplate]) -> None:
    if len(contributions.values) != features.height:
        raise InputError(
            f"Contributions are of {len(contributions.values)} users, but features of {features.height}; "
            "pass the frame that was scored."
        )
    untold = sorted(set(contributions.features) - set(catalogue))
    if untold:
        raise InputError(
            f"No reason template for: {', '.join(untold)}. Give each feature a family and a text in its contract."
        )
    families = sorted({catalogue[name].family for name in contributions.features})
    if len(families) < REASONS:
        raise InputError(
            f"{REASONS} reasons per user need as many families of features, but the model's features form "
            f"{len(families)}: {', '.join(families)}. Split the families, or train on more features."
        )
