"""Why no column could be taken for a required one, in words, and what to do."""

from pathlib import Path
from typing import Final

from churn_platform.onboarding.identifiers import COMES_BACK
from churn_platform.onboarding.moments import is_other_date
from churn_platform.onboarding.profile import ColumnProfile
from churn_platform.onboarding.proposal import Proposal

WHAT: Final = {"user_id": "the customer", "event_time": "the time of the event"}
SHOWN: Final = 20


def told_missing(proposal: Proposal, draft: Path) -> str:
    """The required columns that were not found, each candidate with its reason, and what to write by hand."""
    lines = []
    for role in proposal.found.missing:
        lines.append(f"No column could be taken for {role} ({WHAT[role]}). Looked at:")
        columns = list(proposal.profile.columns.values())
        lines += [f"  {column.name}: {_reason(proposal, column, role)}" for column in columns[:SHOWN]]
        if len(columns) > SHOWN:
            lines.append(f"  and {len(columns) - SHOWN} more")
    wanted = " and ".join(f'{role} = "<your column>"' for role in proposal.found.missing)
    return "\n".join(
        [
            *lines,
            f"{draft} holds what was found; it is not complete. Write {wanted} under [columns], name the file "
            "mapping.toml, and go on with churn run.",
        ]
    )


def _reason(proposal: Proposal, column: ColumnProfile, role: str) -> str:
    examples = ", ".join(repr(value) for value, _ in column.values[:3])
    taken = next((choice.role for choice in proposal.choices if column.name in choice.columns), None)
    hint = max(column.name_scores, key=lambda name: column.name_scores[name], default=None)
    reasons = (
        (taken is not None, f"taken for {taken}"),
        (column.filled == 0, "empty"),
        (role == "event_time", f"no known form of time reads its values ({examples})"),
        (column.distinct == 1, f"one value only ({examples})"),
        (is_other_date(column), f"holds dates ({examples})"),
        (not column.is_key, f"numbers with fractions, times of day or long text ({examples})"),
        (hint is not None, f"its header says {hint} ({examples})"),
    )
    otherwise = (
        f"its header names no customer, and too few of its values (under {COMES_BACK:.0%}) come back on another day, "
        f"or an order has several ({examples})"
    )
    return next((reason for holds, reason in reasons if holds), otherwise)
