"""The proposed mapping and product definition as commented TOML."""

import math
from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from churn_platform.core.return_times import WindowProposal
from churn_platform.lake.mapping import MAPPABLE
from churn_platform.onboarding.choices import Choice, plain, told_by
from churn_platform.onboarding.finding import Found
from churn_platform.onboarding.join import Join
from churn_platform.onboarding.profile import Profile
from churn_platform.onboarding.sample import Sample
from churn_platform.onboarding.times import swapped
from churn_platform.onboarding.toml_text import comment, toml_key, toml_string
from churn_platform.onboarding.trial import Trial

USUAL_REJECTED: Final = 0.05
NO_CURRENCY: Final = "XXX"  # ISO 4217
DOUBTFUL: Final = 0.7


@dataclass(frozen=True)
class Proposal:
    """What `churn init` found in the files, under the name that the source is to have.

    `refused`: why a column that looked like the event's own identifier is none after all.
    """

    name: str
    sample: Sample
    profile: Profile
    found: Found
    join: Join | None = None
    refused: str | None = None

    @property
    def files(self) -> list[Path]:
        """All files, in the order in which they are to land."""
        return self.join.ordered_files if self.join else [*self.sample.files]

    def with_day_and_month_swapped(self) -> Self | None:
        """The proposal that reads dates the other way round; None where the sample left no doubt."""
        moment = self.found.moment
        if moment is None or moment.reading.doubt is None or moment.time_format is None:
            return None
        time_format = swapped(moment.time_format)
        told = f"{told_by(1.0, moment.choice.columns[0])}; all records together read best as {time_format}"
        choice = replace(moment.choice, evidence=told)
        found = replace(
            self.found,
            moment=replace(moment, time_format=time_format, choice=choice),
            choices={**self.found.choices, "event_time": choice},
        )
        return replace(self, found=found)

    def without_event_id(self, shared_ids: int) -> Self:
        """The proposal without an identifier of the files: all that a record holds tells it from others.

        Args:
            shared_ids: values of that column that stand for records that differ.
        """
        column = self.found.choices["event_id"].columns[0]
        values = "one of its values stands" if shared_ids == 1 else f"{shared_ids:,} of its values stand"
        told = f"no event_id: header '{column}' says so, but {values} for several records that differ"
        choices = {role: choice for role, choice in self.found.choices.items() if role != "event_id"}
        return replace(self, found=replace(self.found, choices=choices), refused=told)

    @property
    def choices(self) -> list[Choice]:
        """Every choice, in the order of the canonical columns."""
        chosen = {**self.found.choices, "event_type": self.found.types.choice}
        return [chosen[role] for role in MAPPABLE if role in chosen]

    @property
    def properties(self) -> list[str]:
        """The files' columns without a place among the canonical ones, without empty ones."""
        columns = self.profile.columns.values()
        return [column.name for column in columns if column.name not in self.found.used and column.filled > 0]


def mapping_text(proposal: Proposal, trial: Trial | None = None) -> str:
    """`mapping.toml`; with a trial, also how much of the files may be rejected."""
    files = ", ".join(file.name for file in proposal.files[:3])
    more = len(proposal.files) - 3
    head = f"Proposed by churn init from {files}{f' and {more} more' if more > 0 else ''}."
    lines = comment(f"{head} Every entry is a SQL expression over the files' columns: docs/mapping.md")
    lines += ["", "[source]", *_source_lines(proposal, trial), *_join_lines(proposal.join), "", "[columns]"]
    for choice in proposal.choices:
        if choice.role == "event_type" and proposal.found.types.rules:
            continue
        lines += comment(f"{choice.confidence:.0%} sure: {choice.evidence}")
        lines.append(f"{choice.role} = {toml_string(choice.expression)}")
    if proposal.refused:
        lines += comment(proposal.refused)
    lines += [line for role in proposal.found.missing for line in _missing_lines(role)]
    return "\n".join([*lines, *_type_lines(proposal), *_property_lines(proposal)]) + "\n"


def definition_text(proposal: Proposal, windows: WindowProposal, trial: Trial) -> str:
    """`churn.toml`: the windows with the table they come from; everything else at its default."""
    code = proposal.found.currency or NO_CURRENCY
    told = "" if proposal.found.currency else '  # the files do not say; write yours, such as "EUR"'
    activity = ", ".join(map(toml_string, proposal.found.types.activity))
    return "\n".join(
        [
            "# What churn means here, as churn init proposes it. Every value and its default:",
            "# churn_platform/datasets/default_churn.toml",
            'timezone = "UTC"  # the files do not say; the shop\'s days begin at its midnight, such as "Europe/Berlin"',
            f"currency = {toml_string(code)}{told}",
            "auto_accept = true  # false: a model waits for 'churn promote VERSION --by NAME --note TEXT'",
            "",
            *returns_comment(trial),
            "[churn]",
            f"activity = [{activity}]  # event types that show that a customer is alive",
            *comment(window_reason(windows)),
            f"lookback_days = {windows.lookback_days}",
            f"horizon_days = {windows.horizon_days}",
            f"training_cadence_days = {windows.training_cadence_days}",
            *_value_lines(proposal),
            "",
        ]
    )


def _value_lines(proposal: Proposal) -> list[str]:
    if "amount" in proposal.found.choices:
        return []
    return ["", "[campaign]", "default_order_value = 1.0  # the files hold no amounts: what an order is worth to you"]


def window_reason(windows: WindowProposal) -> str:
    """Why these windows, in one paragraph."""
    told = "At most one in five of the customers who come back do so after a silence longer than the horizon."
    if not windows.history_suffices:
        return (
            f"The history of {windows.history_days} days is too short for a model: even a horizon of "
            f"{windows.horizon_days} days needs {windows.needed_days} (lookback + 2 × horizon + cadence). Until it is "
            "longer, a simpler rule scores."
        )
    if windows.horizon_days < windows.wanted_horizon:
        told = (
            f"The customers' rhythm asks for a horizon of {windows.wanted_horizon} days, but the history of "
            f"{windows.history_days} days carries {windows.horizon_days} at most (lookback + 2 × horizon + cadence); "
            "lengthen it later."
        )
    return f"{told} The lookback is twice the horizon, at least 30 days."


def returns_comment(trial: Trial) -> list[str]:
    """The return-times table as TOML comments."""
    head = (
        f"{trial.customers:,} customers, {trial.first_day} to {trial.last_day}. "
        f"Returns within {trial.followed_days} days of silence:"
    )
    if not trial.returns:
        return comment(f"{trial.customers:,} customers, too few silences of a week to tell when customers come back.")
    lines = [*comment(head), "#   silent for   silences   of these come back   of all who come back, later than that"]
    lines += [
        f"#   {row.days:>5} days   {row.silences:>8,}   {row.came_back:>18.0%}   {row.late_returns:>36.0%}"
        for row in trial.returns[:-1]
    ]
    return lines


def _source_lines(proposal: Proposal, trial: Trial | None) -> list[str]:
    lines = [f"name = {toml_string(proposal.name)}"]
    moment, sample = proposal.found.moment, proposal.sample
    zone = 'the files do not say: the zone of times without an offset, such as "Europe/Berlin"'
    lines.append(f'timezone = "UTC"  # {zone}')
    if moment and moment.time_format:
        lines.append(f"time_format = {toml_string(moment.time_format)}")
    if proposal.profile.decimal == ",":
        lines.append('decimal = ","')
    if sample.unnest:
        lines.append(f"unnest = {toml_string(sample.unnest)}  # each of its elements is a record")
    if sample.sheet:
        lines.append(f"sheet = {toml_string(sample.sheet)}")
    if trial and trial.quarantined_share > USUAL_REJECTED / 2:
        reasons = told_reasons(trial.reasons)
        lines += comment(f"{trial.quarantined_share:.1%} of the records go to quarantine: {reasons}")
        lines.append(f"max_rejected_share = {min(1.0, math.ceil(trial.quarantined_share * 1.25 * 20) / 20):.2f}")
    return lines


def _join_lines(join: Join | None) -> list[str]:
    if join is None:
        return []
    told = f"{join.held:.0%} of the sampled records find their {join.header_column} there"
    on = f"{toml_key(join.line_column)} = {toml_string(join.header_column)}"
    return [
        "",
        "# files whose columns belong to the records of the other files; the others' own columns win",
        "[join]",
        f"files = {toml_string(join.files)}",
        f"on = {{ {on} }}  # column of the records = column of these files; {told}",
    ]


def told_reasons(reasons: MappingType[str, int]) -> str:
    """The reasons for quarantine, the most frequent first."""
    return ", ".join(f"{reason}: {count:,}" for reason, count in reasons.items())


def _missing_lines(role: str) -> list[str]:
    return [f'# TODO: {role} = "<your column>"  (required; churn init could not tell which column it is)']


def _type_lines(proposal: Proposal) -> list[str]:
    types, lines = proposal.found.types, []
    if types.values or types.unknown:
        lines.append("")
    if types.unknown:
        lines += comment(f"Types without a known meaning, they pass through: {', '.join(types.unknown)}")
    if types.values:
        lines.append("[values.event_type]")
        lines += [f"{toml_key(value)} = {toml_string(kind)}" for value, kind in types.values.items()]
    if types.rules:
        lines += ["", *comment(f"{types.choice.confidence:.0%} sure: {types.choice.evidence}")]
    return lines + [line for condition, then in types.rules for line in _rule_lines(condition, then)]


def _rule_lines(condition: str | None, then: str) -> Sequence[str]:
    when = [f"when = {toml_string(condition)}"] if condition else []
    return ["[[event_type]]", *when, f"then = {toml_string(then)}"]


def _property_lines(proposal: Proposal) -> list[str]:
    if not proposal.properties:
        return []
    lines = ["", "# columns without a place above, kept beside the event", "[properties]"]
    return lines + [f"{toml_key(name)} = {toml_string(plain(name))}" for name in proposal.properties]
