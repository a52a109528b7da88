"""`churn init`: from a user's files to a mapping and a product definition."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from churn_platform.core.return_times import WindowProposal, propose_windows
from churn_platform.errors import InputError, UsageError
from churn_platform.lake.mapping import read_mapping
from churn_platform.lake.sources.files import matching
from churn_platform.onboarding.failure import told_missing
from churn_platform.onboarding.finding import find
from churn_platform.onboarding.join import find_join
from churn_platform.onboarding.profile import profile_of
from churn_platform.onboarding.proposal import Proposal, definition_text, mapping_text
from churn_platform.onboarding.sample import Sample, read_samples
from churn_platform.onboarding.scratch import scratch_connection
from churn_platform.onboarding.trial import Trial, try_out
from churn_platform.settings import read_definition

MAPPING: Final = "mapping.toml"
DEFINITION: Final = "churn.toml"
DRAFT: Final = "mapping.draft.toml"
POSTGRES: Final = "postgres"
UNREADABLE_TIME: Final = "unreadable event_time"  # as the lake says it


@dataclass(frozen=True)
class Written:
    """What was proposed, how it did on all records, and the two files written."""

    proposal: Proposal
    trial: Trial
    windows: WindowProposal
    mapping: Path
    definition: Path


def initialise(
    sources: Sequence[str], folder: Path, now: datetime, *, force: bool, tell: Callable[[str], None]
) -> Written:
    """Profile the files, propose, try the proposal on all records, and write `mapping.toml` and `churn.toml`.

    Args:
        sources: files, folders or patterns.
        folder: where the two files go; made if it is not there.
        now: with offset; later times are no times of events.
        force: replace files that are there.
        tell: called with a line about what is going on.

    Raises:
        UsageError: one of the files exists, `folder` can be none, or a source is no file of this machine.
        InputError: a file cannot be read, or a required column cannot be found; `mapping.draft.toml` then has the rest.
    """
    _check_folder(folder)
    mapping_file, definition_file = folder / MAPPING, folder / DEFINITION
    existing = [str(file) for file in (mapping_file, definition_file) if file.exists()]
    if existing and not force:
        told = f"{' and '.join(existing)} {'exist' if len(existing) > 1 else 'exists'} already"
        raise UsageError(f"{told}. Add --force to replace what is there, or name another folder with --home.")
    elsewhere = [source for source in sources if "://" in source or source == POSTGRES]
    if elsewhere:
        raise UsageError(
            f"{elsewhere[0]} lies elsewhere, and churn init looks at files on this machine. Fetch one file of it, or "
            "export some thousand rows, and name that file."
        )
    files = matching(sources)
    tell(f"Reading the first records of {', '.join(file.name for file in files[:3])} …")
    proposal = propose(files, _source_name(files[0], folder), now)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / DRAFT
    draft.write_text(mapping_text(proposal), encoding="utf-8")
    if proposal.found.missing:
        raise InputError(told_missing(proposal, draft))
    proposal, trial = _tried(proposal, draft, folder, now, tell)
    windows = propose_windows(trial.returns, trial.history_days)
    draft.write_text(mapping_text(proposal, trial), encoding="utf-8")
    read_mapping(draft)
    definition_draft = folder / f".{DEFINITION}.draft"
    definition_draft.write_text(definition_text(proposal, windows, trial), encoding="utf-8")
    read_definition(definition_draft)
    definition_draft.replace(definition_file)
    draft.replace(mapping_file)
    return Written(proposal, trial, windows, mapping_file, definition_file)


def _check_folder(folder: Path) -> None:
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    if not existing.is_dir():
        raise UsageError(
            f"{existing} is a file. Expected a folder for {MAPPING} and {DEFINITION}, there or to be made. Name "
            "another one with --home."
        )


def _tried(
    proposal: Proposal, draft: Path, folder: Path, now: datetime, tell: Callable[[str], None]
) -> tuple[Proposal, Trial]:
    """The proposal with its trial, changed where the sample left open, or belies, what all records tell.

    Day and month are swapped if that reads more of the times; an event_id that records share that differ is dropped.
    """

    def trial_of(tried: Proposal) -> Trial:
        draft.write_text(mapping_text(tried), encoding="utf-8")
        return try_out(tried.files, read_mapping(draft), tried.found.types.activity, folder, now, tell)

    try:
        trial = trial_of(proposal)
        other = proposal.with_day_and_month_swapped()
        if other is not None and trial.reasons.get(UNREADABLE_TIME):
            again = trial_of(other)
            if again.reasons.get(UNREADABLE_TIME, 0) < trial.reasons[UNREADABLE_TIME]:
                proposal, trial = other, again
        if trial.shared_ids and "event_id" in proposal.found.choices:
            proposal = proposal.without_event_id(trial.shared_ids)
            trial = trial_of(proposal)
    except InputError as error:
        raise InputError(f"{error}\nThe mapping that was tried is {draft}; nothing else is written.") from error
    return proposal, trial


def propose(files: Sequence[Path], name: str, now: datetime) -> Proposal:
    """What the first records of the files say.

    Raises:
        InputError: a file cannot be read, or the files have different columns and no key that joins them.
    """
    samples = read_samples(files)
    join = find_join(samples)
    if len(samples) > 1 and join is None:
        raise InputError(_told_shapes(samples))
    sample = join.together() if join else samples[0]
    with scratch_connection() as connection:
        profile = profile_of(connection, sample, now.replace(tzinfo=None))
        return Proposal(name, sample, profile, find(connection, profile), join)


def _told_shapes(samples: Sequence[Sample]) -> str:
    shapes = "\n".join(f"  {sample.files[0].name}: {', '.join(sample.frame.columns)}" for sample in samples)
    return (
        f"The files have different columns, and no column of one kind is the key of one other:\n{shapes}\n"
        "Name files of one kind, or two that belong together, such as all orders and all their lines."
    )


def _source_name(file: Path, folder: Path) -> str:
    """The name of the home's folder, else that of the file, in plain letters."""
    wanted = folder.name if folder.resolve() != Path.cwd() else file.name.partition(".")[0]
    return re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-") or "shop"
