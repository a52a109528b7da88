"""All canonical columns of one sample: the time first, then money, then who and what, then the labels."""

from dataclasses import dataclass

import duckdb

from churn_platform.onboarding.choices import Choice
from churn_platform.onboarding.event_types import EventTypes, find_type_column, type_rules
from churn_platform.onboarding.identifiers import find_item, find_order, find_session, find_user, key_columns
from churn_platform.onboarding.labels import find_currency, find_labels
from churn_platform.onboarding.measures import find_measures, line_amount
from churn_platform.onboarding.moments import Moment, find_moment
from churn_platform.onboarding.profile import Profile, key_facts


@dataclass(frozen=True)
class Found:
    """What was found in a sample.

    Attributes:
        choices: by canonical column, without the event type.
        currency: the code, where all records share one.
    """

    choices: dict[str, Choice]
    types: EventTypes
    moment: Moment | None
    currency: str | None

    @property
    def missing(self) -> list[str]:
        """The required columns that were not found."""
        return [role for role in ("user_id", "event_time") if role not in self.choices]

    @property
    def used(self) -> list[str]:
        """The files' columns that have a place."""
        chosen = [*self.choices.values(), self.types.choice]
        return [column for choice in chosen for column in choice.columns]


def find(connection: duckdb.DuckDBPyConnection, profile: Profile) -> Found:
    """Look for every canonical column.

    Args:
        connection: that of `profile_of`, which holds the sample.
    """
    choices: dict[str, Choice] = {}
    moment = find_moment(profile)
    if moment is not None:
        choices["event_time"] = moment.choice
    types = find_type_column(profile, _used(choices))
    taken = [*_used(choices), *(types.choice.columns if types else ())]
    choices |= find_measures(connection, profile, taken)
    taken += _used(choices)
    day = moment.day_sql if moment else "NULL"
    facts = key_facts(connection, day, key_columns(profile, taken))
    order = find_order(profile, facts)
    user = find_user(profile, facts, order)
    choices |= {choice.role: choice for choice in (order, user) if choice}
    if amount := line_amount(connection, choices, facts):
        choices["amount"] = amount
    left = {name: kept for name, kept in facts.items() if name not in _used(choices)}
    for choice in (find_item(profile, facts, order, user), find_session(profile, left)):
        if choice:
            choices[choice.role] = choice
    choices |= find_labels(profile, [*taken, *_used(choices)])
    money = [column for role in ("amount", "unit_price") if role in choices for column in choices[role].columns]
    currency, code = find_currency(profile, money, [*taken, *_used(choices)])
    if currency:
        choices["currency"] = currency
    return Found(choices, types or type_rules(connection, profile, choices), moment, code)


def _used(choices: dict[str, Choice]) -> list[str]:
    return [column for choice in choices.values() for column in choice.columns]
