"""What kind of event a record is: by a column of types, or by rules for what comes back."""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from typing import Final

import duckdb

from churn_platform.lake.expressions import literal, quoted
from churn_platform.lake.mapping import KNOWN_TYPES
from churn_platform.onboarding.choices import NAMED, Choice, confidence_of, plain, told_by
from churn_platform.onboarding.profile import ColumnProfile, Profile
from churn_platform.onboarding.vocabulary import event_type_of, words_of

MOST_TYPES: Final = 40
RECOGNIZED: Final = 0.3  # share of the records whose type has a known name, where the header speaks for it too
RECOGNIZED_ALONE: Final = 0.8
FEW: Final = 0.3  # a prefix of returns stands before at most this share of the orders
NEGATIVE_WITH_PREFIX: Final = 0.8
PURCHASE, RETURN = "purchase", "return"
FLAGS: Final = (("true", "false"), ("1", "0"), ("yes", "no"), ("y", "n"), ("ja", "nein"), ("j", "n"), ("oui", "non"))


@dataclass(frozen=True)
class EventTypes:
    """How the mapping tells event types.

    Attributes:
        choice: the column of types, or a description of the rules.
        values: of the column: the source's word → ours.
        unknown: of the column: words without a meaning here; they pass through.
        rules: without a column: conditions and types, the last without a condition.
        present: the canonical and unknown types of the sample.
    """

    choice: Choice
    values: MappingType[str, str] = field(default_factory=dict)
    unknown: Sequence[str] = ()
    rules: Sequence[tuple[str | None, str]] = ()
    present: Sequence[str] = (PURCHASE,)

    @property
    def activity(self) -> list[str]:
        """The types that show that a customer is alive: purchases, and where there are none, all of them."""
        passive = ("return", "adjustment", "campaign_exposure", "consent_change", "support_contact")
        return [PURCHASE] if PURCHASE in self.present else [kind for kind in self.present if kind not in passive]


def find_type_column(profile: Profile, taken: Sequence[str]) -> EventTypes | None:
    """The column of event types, by its header and by values whose meaning is known."""
    rated = []
    for column in profile.columns.values():
        if column.name in taken or not 1 <= column.distinct <= MOST_TYPES or column.is_number:
            continue
        name = column.name_scores.get("event_type", 0.0)
        known = column.share([value for value, _ in column.values if event_type_of(value)])
        if known >= (RECOGNIZED if name >= NAMED else RECOGNIZED_ALONE) or (name == 1 and column.distinct > 1):
            rated.append((confidence_of(name, max(known, 0.3)), known, column))
    if not rated:
        return None
    confidence, known, column = max(rated, key=lambda entry: entry[0])
    return _types_of(column, confidence, known)


def _types_of(column: ColumnProfile, confidence: float, known: float) -> EventTypes:
    told = told_by(column.name_scores.get("event_type", 0.0), column.name)
    evidence = f"{told}; {known:.0%} of its values have a known meaning"
    meanings = {value: event_type_of(value) for value, _ in column.values}
    values = {value: kind for value, kind in meanings.items() if kind is not None and value not in KNOWN_TYPES}
    unknown = [value for value, kind in meanings.items() if kind is None and value not in KNOWN_TYPES]
    present = dict.fromkeys(values.get(value, value) for value, _ in column.values)
    choice = Choice("event_type", plain(column.name), (column.name,), confidence, evidence)
    return EventTypes(choice, values, unknown, (), tuple(present))


def type_rules(connection: duckdb.DuckDBPyConnection, profile: Profile, found: MappingType[str, Choice]) -> EventTypes:
    """Without a column of types every record is a purchase, but for negative ones and orders with a letter before them.

    Args:
        connection: that holds the profile's `sample`.
        found: the measures and the order.
    """
    signed = next((found[role] for role in ("quantity", "amount") if role in found and found[role].columns), None)
    negative = profile.columns[signed.columns[0]].negative if signed else 0.0
    conditions, told = [], []
    if (order := found.get("order_id")) and (prefix := _return_prefix(connection, order, signed)):
        conditions.append(f"{order.expression} LIKE '{prefix}%'")
        told.append(f"orders that begin with {prefix} are returns")
    for column, value in _return_flags(profile):
        conditions.append(f"CAST({plain(column.name)} AS VARCHAR) = {literal(value)}")
        told.append(f"{column.share([value]):.1%} of {column.name} are {value}: returns")
    if signed and negative:
        conditions.append(f"{signed.expression} < 0")
        told.append(f"{negative:.1%} of {signed.columns[0]} are negative: returns")
    doubt = _unread_types(profile)
    rules: list[tuple[str | None, str]] = [(" OR ".join(conditions), RETURN)] if conditions else []
    rest = "all others are purchases" if told else "all are purchases"
    evidence = "; ".join([doubt or "no column of event types", *told, rest])
    confidence = 0.5 if doubt else 0.9 if told else 0.8
    choice = Choice("event_type", "by rules" if rules else "'purchase'", (), confidence, evidence)
    present = (PURCHASE, RETURN) if rules else (PURCHASE,)
    return EventTypes(choice, rules=[*rules, (None, PURCHASE)], present=present)


def _return_flags(profile: Profile) -> Iterator[tuple[ColumnProfile, str]]:
    """Columns of yes and no whose header names a return, each with its word for yes."""
    for column in profile.columns.values():
        values = {value.casefold(): value for value, _ in column.values}
        named = any(event_type_of(word) == RETURN for word in words_of(column.name))
        if named and column.distinct == 2:
            yield from ((column, values[yes]) for yes, no in FLAGS if values.keys() == {yes, no})


def _unread_types(profile: Profile) -> str | None:
    """What to tell of a column that is called a type of event, but whose values have no known meaning."""
    for column in profile.named("event_type", NAMED):
        about_others = any(role.endswith("_id") for role in column.name_scores)
        if 2 <= column.distinct <= MOST_TYPES and not about_others:
            values = ", ".join(value for value, _ in column.values[:5])
            return f"the values of '{column.name}' ({values}) have no known meaning: map them by hand if they are types"
    return None


def _return_prefix(connection: duckdb.DuckDBPyConnection, order: Choice, signed: Choice | None) -> str | None:
    """The letters before the numbers of a few orders, such as C, if nearly all of their lines are negative."""
    column = quoted(order.columns[0])
    number = quoted(signed.columns[0]) if signed else "'0'"
    rows = connection.execute(
        f"SELECT regexp_extract({column}, '^([A-Z]+)[0-9]', 1) AS prefix, count(*), "
        f"avg(CAST(regexp_matches({number}, '^[(]?[-−]|-$') AS INT)) FROM sample WHERE {column} IS NOT NULL "
        "GROUP BY prefix ORDER BY 2 DESC"
    ).fetchall()
    total = sum(records for _, records, _ in rows)
    for prefix, records, negative in rows[1:]:
        if re.fullmatch("[A-Z]+", prefix) and records <= FEW * total and (negative or 0.0) >= NEGATIVE_WITH_PREFIX:
            return str(prefix)
    return None
