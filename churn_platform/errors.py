"""The errors a user can meet. Each message says what was wrong, what was expected, what exists and what to do."""

from difflib import get_close_matches
from typing import ClassVar

# A home may hold thousands of files; no table has so many columns.
MOST_NAMES = 200


class ChurnError(Exception):
    """Base of every error that is the input's or the operator's, not the program's."""

    exit_code: ClassVar[int] = 2


class UsageError(ChurnError):
    """A command or a setting that cannot be carried out as given."""


class InputError(ChurnError):
    """A file or a mapping that cannot be read as declared."""


class OutdatedModel(InputError):
    """A model that an earlier version of the platform has written, in a form that this one does not read."""


class DefinitionError(ChurnError):
    """A SQL model or a contract in `dbt_like_sql/` that is wrong; raised when the definitions load."""


class NotEnoughData(ChurnError):
    """The history does not support what was asked of it."""

    exit_code = 1


class HomeBusy(ChurnError):
    """Another process is writing to this CHURN_HOME."""

    exit_code = 1


def suggest(name: str, existing: list[str]) -> str:
    """Return ' Did you mean X?' for the nearest existing name, and the list of what exists, its newest end if long."""
    near = get_close_matches(name, existing, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    others = len(existing) - MOST_NAMES
    names = ", ".join([f"{others} others", *existing[-MOST_NAMES:]] if others > 0 else existing)
    return f"{hint} Existing: {names or 'none'}."
