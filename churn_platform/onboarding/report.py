"""What `churn init` tells in the terminal."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from churn_platform.core.return_times import WindowProposal
from churn_platform.onboarding.initialise import Written
from churn_platform.onboarding.proposal import DOUBTFUL, Proposal, told_reasons, window_reason
from churn_platform.onboarding.trial import Trial


def print_columns(proposal: Proposal, console: Console) -> None:
    """The proposed columns with confidence and evidence, and what becomes of the others."""
    table = Table("canonical", "from", "sure", "because", title="What is what", title_justify="left")
    for choice in proposal.choices:
        mark = " ?" if choice.confidence < DOUBTFUL else ""
        table.add_row(*map(escape, (choice.role, choice.expression, f"{choice.confidence:.0%}{mark}", choice.evidence)))
    console.print(table)
    if proposal.join:
        told = f"{proposal.join.files}, {proposal.join.line_column} = {proposal.join.header_column}"
        console.print(f"Joined to each record: {told}", markup=False, highlight=False)
    if proposal.refused:
        console.print(f"{proposal.refused[0].upper()}{proposal.refused[1:]}.", markup=False, highlight=False)
    if proposal.properties:
        console.print(f"Kept as properties: {', '.join(proposal.properties)}", markup=False, highlight=False)
    if any(choice.confidence < DOUBTFUL for choice in proposal.choices):
        console.print("Check the lines marked ? in mapping.toml before you run.", markup=False, highlight=False)


def print_trial(trial: Trial, windows: WindowProposal, console: Console) -> None:
    """What the trial landed, the return-times table, and the windows that follow."""
    told = f"{trial.rows:,} of {trial.rows + trial.quarantined:,} records land, {trial.first_day} to {trial.last_day}"
    if trial.quarantined:
        told += f"; the others go to quarantine ({told_reasons(trial.reasons)})"
    console.print(f"{told}.", markup=False, highlight=False)
    if trial.returns:
        console.print(_returns(trial))
    else:
        few = f"{trial.customers:,} customers have too few silences of a week to tell when customers come back."
        console.print(few, markup=False, highlight=False)
    proposed = f"Proposed: horizon {windows.horizon_days} days, lookback {windows.lookback_days} days."
    console.print(f"{proposed} {window_reason(windows)}", markup=False, highlight=False)


def _returns(trial: Trial) -> Table:
    title = f"When {trial.customers:,} customers come back, within {trial.followed_days} days of silence"
    table = Table(title=title, title_justify="left")
    for name in ("silent for", "silences", "of these come back", "of all who come back, later than that"):
        table.add_column(name, justify="right")
    for row in trial.returns[:-1]:
        table.add_row(f"{row.days} days", f"{row.silences:,}", f"{row.came_back:.0%}", f"{row.late_returns:.0%}")
    return table


def next_command(sources: Sequence[str], written: Written, home: Path | None) -> str:
    """The command that takes the files through the lifecycle, into `home` or a folder of the source's name."""
    parts = ["churn", "run", *(part for source in sources for part in ("--source", source))]
    parts += ["--mapping", str(written.mapping), "--definition", str(written.definition)]
    return shlex.join([*parts, "--home", str(home or Path("data") / written.proposal.name)])
