"""`churn restate`: a corrected file in the place of a landed one, the refresh after it, and what changed."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rich.console import Console

from churn_platform.errors import InputError
from churn_platform.lake.landing import keep
from churn_platform.lake.ledger import Landed, Ledger
from churn_platform.lake.mapping import read_mapping
from churn_platform.lake.restating import Decision, compare, restate, touched_days
from churn_platform.launch import RunOutcome, open_instance, run_job
from churn_platform.lifecycle import refresh_all
from churn_platform.orchestration.feature_tables import BASE, feature_tables
from churn_platform.orchestration.progress import progress_of
from churn_platform.orchestration.shop import WAIT_FOR_WRITER_SECONDS, Shop
from churn_platform.settings import Home, environment
from churn_platform.sql.library import default_library
from churn_platform.warehouse.build_versions import built_versions
from churn_platform.warehouse.connection import table_exists
from churn_platform.warehouse.lock import WriterLock
from churn_platform.whole_file import written_whole


@dataclass(frozen=True)
class SnapshotsAfter:
    """The snapshots from the first touched day on.

    Attributes:
        rebuilt: their features are those of the corrected rows.
        stale: their features were built before, and no refresh asks for them any more.
        published: scored before; those scores stay as they were acted upon.
    """

    rebuilt: Sequence[str]
    stale: Sequence[str]
    published: Sequence[str]


@dataclass(frozen=True)
class RestatementOutcome:
    """What a restatement changed: events by kind of change, arrival days, snapshots; and where that is kept."""

    file: Landed
    replaced: str
    events: Mapping[str, int]
    days: Sequence[date]
    snapshots: SnapshotsAfter
    runs: Sequence[RunOutcome]
    report: Path
    changes: Path


def restate_file(
    home: Home, file: Path, replaces: str, *, by: str, note: str, log: Callable[[str], None]
) -> RestatementOutcome:
    """Restate, run the refresh, and keep a report in `reports/restatements/`; the same again changes nothing.

    A kill at any point leaves the old file or the new one in the lake; the next refresh, or this command again,
    completes the rest.

    Args:
        log: takes a line now and then while a large file is read; a terminal shows a bar instead.

    Raises:
        HomeBusy: a run is at work in this home.
        UsageError: there is nothing of that name to replace.
        InputError: the corrected file cannot be read; the landed one stays.
    """
    if not file.is_file():
        raise InputError(f"{file} does not exist or is not a file. Name the corrected file.")
    now = environment().current_time()
    with open_instance(home), WriterLock(home.lock_file) as lock:
        lock.acquire(f"churn restate {file.name}")
        mapping, timezone = read_mapping(home.mapping_file), home.definition().timezone
        with progress_of(file.name, log) as progress:
            restated = restate(file, replaces, Decision(by, note, now), mapping, home, timezone, progress)
        keep(file, home)
        report = home.reports / "restatements" / f"{restated.name_in_lake}.json"
        changes = report.with_suffix(".parquet")
        events = compare(home, restated, changes)
    ledger = Ledger(home)
    days = touched_days(ledger, restated)
    first = max(days[0], ledger.first_expected_day() or days[0])
    if restated.mode == "history":
        runs = [run for run in refresh_all(home, first, days[-1]) if run is not None]
    else:
        runs = [run_job(home, "daily_refresh", first, days[-1])]
    with WriterLock(home.lock_file) as lock:
        lock.acquire(f"churn restate {file.name}", wait_seconds=WAIT_FOR_WRITER_SECONDS)
        snapshots = _snapshots_after(home, days[0])
    replaced = _name_of(ledger, restated)
    outcome = RestatementOutcome(restated, replaced, events, days, snapshots, runs, report, changes)
    with written_whole(report) as draft:
        draft.write_text(json.dumps(_described(outcome), indent=2) + "\n", encoding="utf-8")
    return outcome


def print_restatement(outcome: RestatementOutcome, console: Console) -> None:
    """Tell a person what changed and where it is kept."""
    events, snapshots = outcome.events, outcome.snapshots
    told = {
        "replaced": f"{outcome.replaced} by {outcome.file.file} (as of its arrival)",
        "events": ", ".join(f"{count:,} {change}" for change, count in events.items()),
        "arrival days": _range([day.isoformat() for day in outcome.days]),
        "snapshots rebuilt": _range(snapshots.rebuilt),
        "snapshots stale": f"{_range(snapshots.stale)}; build them by hand: config rebuild of "
        + ", ".join(feature_tables())
        if snapshots.stale
        else "none",
        "scores that stay as published": _range(snapshots.published),
        "report": str(outcome.report),
        "events that changed": str(outcome.changes),
    }
    for name, text in told.items():
        console.print(f"{name:<30}", end="")
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _snapshots_after(home: Home, first: date) -> SnapshotsAfter:
    shop = Shop(home_folder=str(home.root))
    code = default_library().code_versions[BASE]
    with shop.warehouse() as connection:
        built = {
            date.fromisoformat(key): version
            for key, version in built_versions(connection, BASE).items()
            if date.fromisoformat(key) >= first
        }
        current = {key for key, version in built.items() if version == shop.snapshot_version(code, key)}
        scored = []
        if table_exists(connection, "churn_scores"):
            scored = connection.execute(
                "SELECT DISTINCT snapshot_date FROM churn_scores WHERE snapshot_date >= $first"
                " AND snapshot_date <> $newest",
                {"first": first, "newest": shop.plan.newest},
            ).fetchall()
    return SnapshotsAfter(
        rebuilt=sorted(map(str, current)),
        stale=sorted(map(str, built.keys() - current)),
        published=sorted(str(row[0]) for row in scored),
    )


def _name_of(ledger: Ledger, restated: Landed) -> str:
    replaces = restated.restates.replaces if restated.restates else ""
    return next(one.file for one in ledger.commits() if one.fingerprint == replaces)


def _described(outcome: RestatementOutcome) -> dict[str, object]:
    restates = outcome.file.restates
    return {
        "file": outcome.file.file,
        "fingerprint": outcome.file.fingerprint,
        "replaced": outcome.replaced,
        "replaced_fingerprint": restates.replaces if restates else None,
        "by": restates.by if restates else None,
        "note": restates.note if restates else None,
        "decided_at": restates.decided_at.isoformat() if restates else None,
        "events": dict(outcome.events),
        "arrival_days": [day.isoformat() for day in outcome.days],
        "snapshots_rebuilt": list(outcome.snapshots.rebuilt),
        "snapshots_stale": list(outcome.snapshots.stale),
        "scores_that_stay_as_published": list(outcome.snapshots.published),
        "runs": {run.run_id: "succeeded" if run.succeeded else "failed" for run in outcome.runs},
    }


def _range(days: Sequence[str]) -> str:
    if len(days) <= 3:
        return ", ".join(days) or "none"
    return f"{len(days)}, {days[0]} to {days[-1]}"
