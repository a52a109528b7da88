"""Which columns tell orders, customers, items and sessions apart: by their headers, and by how they hang together."""

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from math import sqrt
from typing import Final

from churn_platform.onboarding.choices import LEAST, NAMED, Choice, confidence_of, plain, told_by
from churn_platform.onboarding.moments import is_other_date
from churn_platform.onboarding.profile import ColumnProfile, KeyFacts, Profile

ONE_DAY: Final = 0.05  # an order has one day: at most this share of repeated values may have more
COMES_BACK: Final = 0.2  # a customer has several days: at least this share of repeated values
BELONGS: Final = 0.95
SEVERAL: Final = 0.3
SHORT: Final = 12
ENTITIES: Final = ("order_id", "user_id", "item_id", "session_id")


def key_columns(profile: Profile, taken: Sequence[str]) -> list[str]:
    """The columns that may tell somebody or something apart, those whose headers say so first."""
    columns = [column for column in profile.columns.values() if column.name not in taken]
    columns.sort(key=lambda column: -max(column.name_scores.get(role, 0.0) for role in ENTITIES))
    return [column.name for column in columns if column.is_key and not is_other_date(column)]


def find_order(profile: Profile, facts: MappingType[str, KeyFacts]) -> Choice | None:
    """The order: its lines lie on one day."""
    named, unnamed = _candidates(profile, facts, "order_id")
    if named:
        named.sort(key=lambda column: -_order_confidence(column, facts[column.name]))
        best = named[0]
        confidence = _order_confidence(best, facts[best.name])
        return _choice("order_id", best, confidence, _spread(facts[best.name])) if confidence >= LEAST else None
    found = [
        column
        for column in unnamed
        if facts[column.name].repeats >= ONE_DAY
        and facts[column.name].several_days <= ONE_DAY
        and any(
            share >= BELONGS and facts[other].several_days >= COMES_BACK
            for other, share in facts[column.name].determines.items()
        )
    ]
    found.sort(key=lambda column: -column.distinct)
    return _choice("order_id", found[0], confidence_of(0.0, 0.9), _spread(facts[found[0].name])) if found else None


def find_user(profile: Profile, facts: MappingType[str, KeyFacts], order: Choice | None) -> Choice | None:
    """The customer: comes back on several days, and an order has one of them."""
    of_order = facts[order.columns[0]] if order and facts[order.columns[0]].repeats >= ONE_DAY else None
    others = {name: kept for name, kept in facts.items() if not order or name not in order.columns}
    named, unnamed = _candidates(profile, others, "user_id")
    rated = [(_user_confidence(column, facts[column.name], of_order), column) for column in named]
    confidence, best = max(rated, key=lambda pair: pair[0], default=(0.0, None))
    if best is None or confidence < LEAST:
        coming_back = [column for column in unnamed if facts[column.name].several_days >= COMES_BACK]
        if of_order:
            coming_back = [column for column in coming_back if of_order.determines[column.name] >= BELONGS]
        best = max(coming_back, key=lambda column: column.distinct, default=None)
        confidence = confidence_of(0.0, 0.9 if of_order else 0.8 if len(coming_back) == 1 else 0.6)
    if best is None:
        return None
    told = f"{_spread(facts[best.name])}, {best.distinct:,} different in {best.records:,} records"
    if of_order:
        told += f", {of_order.determines[best.name]:.0%} of orders have one"
    if best.filled < 1:
        told += f", {1 - best.filled:.1%} empty"
    return _choice("user_id", best, confidence, told)


def find_item(
    profile: Profile, facts: MappingType[str, KeyFacts], order: Choice | None, user: Choice | None
) -> Choice | None:
    """The item: by its header, else the finest column that neither order nor customer decides."""
    owners = [choice for choice in (order, user) if choice]
    taken = {choice.columns[0] for choice in owners}
    left = {name: kept for name, kept in facts.items() if name not in taken}
    named, unnamed = _candidates(profile, left, "item_id")
    if named:
        named.sort(key=lambda column: (-column.name_scores["item_id"], -column.distinct))
        best = named[0]
        told = f"{best.distinct:,} different"
        return _choice("item_id", best, confidence_of(best.name_scores["item_id"], sqrt(best.filled)), told)
    free = [
        column
        for column in unnamed
        if facts[column.name].several_days >= COMES_BACK
        and len(owners) > 1
        and all(facts[owner.columns[0]].determines[column.name] < 1 - SEVERAL for owner in owners)
    ]
    free.sort(key=lambda column: -column.distinct)
    told = "several in one order"
    return _choice("item_id", free[0], confidence_of(0.0, 0.7), told) if free else None


def find_session(profile: Profile, facts: MappingType[str, KeyFacts]) -> Choice | None:
    """The session, by its header."""
    named, _ = _candidates(profile, facts, "session_id")
    best = max(named, key=lambda column: column.name_scores["session_id"], default=None)
    if best is None:
        return None
    content = 1 - facts[best.name].several_days
    return _choice(
        "session_id", best, confidence_of(best.name_scores["session_id"], content), _spread(facts[best.name])
    )


def _candidates(
    profile: Profile, facts: MappingType[str, KeyFacts], role: str
) -> tuple[list[ColumnProfile], list[ColumnProfile]]:
    """The key columns whose header says the role best, and those whose header says nothing."""
    columns = [profile.columns[name] for name in facts]
    named = [column for column in columns if column.name_scores.get(role, 0.0) >= NAMED]
    unnamed = [column for column in columns if not _is_named(column)]
    return named, unnamed


def _is_named(column: ColumnProfile) -> bool:
    """Whether the header speaks for something; a short 'name' may as well be the number of an order."""
    short = column.mean_length <= SHORT
    return any(score >= NAMED for role, score in column.name_scores.items() if role != "text" or not short)


def _order_confidence(column: ColumnProfile, facts: KeyFacts) -> float:
    content = max(0.0, 1 - 4 * facts.several_days)
    return confidence_of(column.name_scores["order_id"], content) * (0.3 if content == 0 else 1.0)


def _user_confidence(column: ColumnProfile, facts: KeyFacts, of_order: KeyFacts | None) -> float:
    comes_back = 0.5 + 0.5 * min(1.0, facts.several_days / SEVERAL)
    belongs = 1.0 if of_order is None or of_order.determines.get(column.name, 1.0) >= BELONGS else 0.3
    return confidence_of(column.name_scores["user_id"], sqrt(column.filled) * comes_back * belongs)


def _choice(role: str, column: ColumnProfile, confidence: float, told: str) -> Choice:
    evidence = f"{told_by(column.name_scores.get(role, 0.0), column.name)}; {told}"
    return Choice(role, plain(column.name), (column.name,), confidence, evidence)


def _spread(facts: KeyFacts) -> str:
    if not facts.repeats:
        return "no value is repeated"
    return f"{facts.several_days:.0%} of the repeated values lie on several days"
