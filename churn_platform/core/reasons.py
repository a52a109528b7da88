"""Why a user is scored as they are, in the shop's words: associations, never causes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.core.contributions import Contributions
from churn_platform.core.reason_words import ReasonWords
from churn_platform.errors import InputError

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

REASONS = 3
_PARTS = {"code": pl.String, "text": pl.String, "contribution": pl.Float64, "actionable": pl.Boolean}
_ONE_DECIMAL_FROM = 10
_PERCENT_UNITS = frozenset({"share", "probability"})


@dataclass(frozen=True)
class Family:
    """Features that are told as one reason: its `code`, which is the same in every language, its `name`, and whether a
    shop can act on what it tells."""

    code: str
    name: str
    actionable: bool


@dataclass(frozen=True)
class ReasonTemplate:
    """How one feature is told: the family it is counted in, a `text` in which {value} is the user's value, such as
    'last order {value} days ago', and the value's unit: a share is told in percent, a flag as yes or no."""

    family: Family
    text: str
    unit: str | None = None


@dataclass(frozen=True)
class Catalogue:
    """How reasons are told in one language: feature (or other part of a margin) → template, and the words around."""

    templates: Mapping[str, ReasonTemplate]
    words: ReasonWords


def top_reasons(contributions: Contributions, features: pl.DataFrame, catalogue: Catalogue) -> pl.DataFrame:
    """The three families of features that push a user most towards churn, and the first that a shop can act on.

    A family's contribution is the sum of its features', in log-odds; its text tells the feature that moved most in
    the direction of the sum, of those that have a value; a family without any is told as having no history. If fewer
    than three families push towards churn, the next-largest follow, and their text says that they are associated with
    staying. Ties go by name.

    Args:
        contributions: of the model, one row per user.
        features: the same users in the same order, with the features' values.
        catalogue: it must tell every feature of the model, and its other parts.

    Returns:
        One row per user, in order: reason_1_code, _text, _contribution, _actionable, the same for 2 and 3, and
        top_actionable_code, _text, _contribution of the family that pushes most towards churn of those that can be
        acted on; null where none does.

    Raises:
        InputError: rows differ in number, a feature has no template, or the features form fewer than 3 families.
    """
    _check(contributions, features, catalogue.templates)
    families = _by_family(contributions, features, catalogue)
    ranking = np.argsort(-families.totals, axis=1, kind="stable")[:, :REASONS]
    chosen = [ranking[:, rank] for rank in range(REASONS)]
    return _laid_out([families.told(of, features, catalogue) for of in chosen], families.lever(features, catalogue))


def single_reasons(feature: str, contribution: Floats, features: pl.DataFrame, catalogue: Catalogue) -> pl.DataFrame:
    """The one reason of a rung that scores by one thing alone; the columns of `top_reasons`, 2 and 3 null.

    Args:
        feature: what it scores by, a key of the catalogue; a column of `features` if its text has a {value}.
        contribution: log-odds per user.
    """
    family = catalogue.templates[feature].family
    text = _texts([feature], np.zeros(len(contribution), np.int64), contribution, features, catalogue)
    told = pl.DataFrame(
        {"code": [family.code] * len(text), "text": text, "contribution": contribution,
         "actionable": [family.actionable] * len(text)},
        schema=_PARTS,
    )  # fmt: skip
    nothing = told.clear(len(text))
    return _laid_out([told, *[nothing] * (REASONS - 1)], told.select(_where_it_pushes(pl.col("actionable"))))


@dataclass(frozen=True)
class _Families:
    """Per user (rows) and family (columns, by name): the contribution, and the feature that tells it."""

    families: Sequence[Family]
    totals: Floats
    names: Sequence[str]
    spokesmen: Indices

    def told(self, of: Indices, features: pl.DataFrame, catalogue: Catalogue) -> pl.DataFrame:
        """One family per user, as code, text, contribution and actionable."""
        rows = np.arange(len(of))
        contribution = self.totals[rows, of]
        text = _texts(self.names, self.spokesmen[rows, of], contribution, features, catalogue)
        codes = pl.Series([family.code for family in self.families], dtype=pl.String)
        actionable = pl.Series([family.actionable for family in self.families], dtype=pl.Boolean)
        return pl.DataFrame(
            {"code": codes.gather(of), "text": text, "contribution": contribution, "actionable": actionable.gather(of)},
            schema=_PARTS,
        )

    def lever(self, features: pl.DataFrame, catalogue: Catalogue) -> pl.DataFrame:
        """Of the families that can be acted on, the one that pushes most towards churn; null where none does."""
        actionable = np.array([family.actionable for family in self.families])
        first = np.argmax(np.where(actionable, self.totals, -np.inf), axis=1)
        return self.told(first, features, catalogue).select(_where_it_pushes(pl.col("actionable")))


def _where_it_pushes(actionable: pl.Expr) -> pl.Expr:
    return pl.when(actionable & (pl.col("contribution") > 0)).then(pl.col("code", "text", "contribution"))


def _by_family(contributions: Contributions, features: pl.DataFrame, catalogue: Catalogue) -> _Families:
    names = sorted(contributions.features)
    column = {name: position for position, name in enumerate(contributions.features)}
    by_name = contributions.values[:, [column[name] for name in names]]
    known = np.column_stack([_known(features, name) for name in names])
    families = {catalogue.templates[name].family.code: catalogue.templates[name].family for name in names}
    members = {
        code: [at for at, name in enumerate(names) if catalogue.templates[name].family.code == code]
        for code in sorted(families)
    }
    return _Families(
        families=[families[code] for code in members],
        # contiguous, else the order of the additions, and so the last bit, depends on how many users there are
        totals=np.column_stack([np.ascontiguousarray(by_name[:, of]).sum(axis=1) for of in members.values()]),
        names=names,
        spokesmen=np.column_stack([_spokesman(by_name[:, of], known[:, of], of) for of in members.values()]),
    )


def _known(features: pl.DataFrame, name: str) -> Flags:
    """Per user, whether the feature has a value; a part of the model that is no column has one."""
    if name not in features.columns:
        return np.ones(features.height, dtype=np.bool_)
    column = features.get_column(name)
    return (column.fill_nan(None) if column.dtype.is_float() else column).is_not_null().to_numpy()


def _spokesman(values: Floats, known: Flags, members: list[int]) -> Indices:
    """Per user, the index of the known member that moved most in the direction of the members' sum; else of any."""
    direction = np.where(values.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    moved = np.where(known | ~known.any(axis=1, keepdims=True), values * direction, -np.inf)
    return np.asarray(np.array(members)[np.argmax(moved, axis=1)])


def _laid_out(told: Sequence[pl.DataFrame], lever: pl.DataFrame) -> pl.DataFrame:
    columns = {f"reason_{rank}_{part}": one[part] for rank, one in enumerate(told, start=1) for part in _PARTS}
    return pl.DataFrame(columns | {f"top_actionable_{part}": lever[part] for part in lever.columns})


def _texts(
    names: Sequence[str], chosen: Indices, contribution: Floats, features: pl.DataFrame, catalogue: Catalogue
) -> pl.Series:
    """The text of the chosen feature (an index of `names`) per user.

    Each distinct text is put together once: there are many more users than values of a feature.
    """
    cells = pl.DataFrame(
        {"at": chosen, "value": _values(names, chosen, features, catalogue), "pushes": contribution > 0}
    ).with_columns(pl.col("value").fill_nan(None))
    distinct = cells.unique()
    texts = [
        _told(catalogue, names[at], value, pushes=pushes, is_flag=features.schema.get(names[at]) == pl.Boolean)
        for at, value, pushes in distinct.iter_rows()
    ]
    told = distinct.with_columns(text=pl.Series(texts, dtype=pl.String))
    return cells.join(told, on=cells.columns, how="left", nulls_equal=True, maintain_order="left")["text"]


def _values(names: Sequence[str], chosen: Indices, features: pl.DataFrame, catalogue: Catalogue) -> Floats:
    """The value that is told of the chosen feature: nan where it has none, 0 where it is told without."""
    values = np.zeros(len(chosen))
    for at in np.unique(chosen).tolist():
        name = names[at]
        if name in features.columns:
            of = chosen == at
            found = features.get_column(name).cast(pl.Float64).to_numpy()[of]
            with_value = "{value}" in catalogue.templates[name].text
            values[of] = found if with_value else np.where(np.isnan(found), np.nan, 0.0)
    return values


def _told(catalogue: Catalogue, feature: str, value: float | None, *, pushes: bool, is_flag: bool) -> str:
    template, words = catalogue.templates[feature], catalogue.words
    if value is None:
        text = words.no_history.format(family=template.family.name)
    elif template.unit == "flag" or is_flag:
        text = template.text.replace("{value}", words.yes if value else words.no)
    elif template.unit in _PERCENT_UNITS:
        text = template.text.replace("{value}", words.percent.format(value=_number(100 * value)))
    else:
        text = template.text.replace("{value}", _number(value))
    return f"{text}{words.colon}{words.towards_churn if pushes else words.towards_staying}"


def _number(value: float) -> str:
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= _ONE_DECIMAL_FROM else f"{value:,.2f}"


def _check(contributions: Contributions, features: pl.DataFrame, templates: Mapping[str, ReasonTemplate]) -> None:
    if len(contributions.values) != features.height:
        raise InputError(
            f"Contributions are of {len(contributions.values)} users, but features of {features.height}; "
            "pass the frame that was scored."
        )
    untold = sorted(set(contributions.features) - set(templates))
    if untold:
        raise InputError(
            f"No reason template for: {', '.join(untold)}. Give each feature a family and a text in its contract."
        )
    families = sorted({templates[name].family.code for name in contributions.features})
    if len(families) < REASONS:
        raise InputError(
            f"{REASONS} reasons per user need as many families of features, but the model's features form "
            f"{len(families)}: {', '.join(families)}. Split the families, or train on more features."
        )
