"""A corrected file takes the place of one that has landed: but for a bulk load the only write to past days."""

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from churn_platform.errors import UsageError, suggest
from churn_platform.extensions import connect_offline
from churn_platform.lake.canonical import SQL
from churn_platform.lake.ingest import write
from churn_platform.lake.ledger import Landed, Ledger, Restatement, fragment_path
from churn_platform.lake.mapping import Mapping
from churn_platform.lake.progress import Report
from churn_platform.lake.reader import create_raw_events_view
from churn_platform.lake.source_file import examine
from churn_platform.settings import Home

CHANGES = ("removed", "added", "changed", "unchanged")


@dataclass(frozen=True)
class Decision:
    """Who restates, why, and when (with offset)."""

    by: str
    note: str
    at: datetime


def restate(
    file: Path,
    replaces: str,
    decision: Decision,
    mapping: Mapping,
    home: Home,
    timezone: str,
    report: Report | None = None,
) -> Landed:
    """Commit a corrected file in the place of a landed one, as if it had arrived then, and withdraw that one's rows.

    The same file may take its own place where the mapping has been corrected.

    Needs the home's writer lock. One ledger line does both, so a kill leaves the old file or the new one. A restatement
    that has been made already is returned as it was.

    Args:
        file: the corrected file; it stays where it is.
        replaces: fingerprint or name of the landed file.

    Raises:
        UsageError: nothing or more than one file of that name has landed, or it has been replaced by another one.
        InputError: the file cannot be read, or too many of its rows are rejected; the landed file stays.
    """
    ledger = Ledger(home)
    facts = examine(file, mapping.source.format, mapping.source.encoding)
    done = _made_already(ledger, facts.fingerprint, replaces, mapping)
    if done is not None:
        return done
    replaced = _find(ledger, replaces, facts.fingerprint, mapping)
    arrival = ledger.arrived(replaced.fingerprint)
    if arrival is None:
        raise ValueError(f"the ledger holds no arrival of {replaced.file}, although it has landed")
    # committed rows stay as they are until the line of the ledger, also where this very content has landed before
    stored_as = f"{facts.fingerprint}-{len(ledger.commits())}"
    record, _ = write(facts, mapping, home, timezone, replaced.mode, arrival.arrived_at, report, stored_as=stored_as)
    restatement = Restatement(replaced.fingerprint, arrival.arrived_at, decision.by, decision.note, decision.at)
    committed = replace(record, restates=restatement)
    ledger.commit(committed)
    return committed


def touched_days(ledger: Ledger, restated: Landed) -> list[date]:
    """The arrival days that lost or gained rows by a restatement, ascending.

    Those of both files, and those that the corrected one had filled before, if it had landed on its own.
    """
    names = {restated.fingerprint, restated.restates.replaces if restated.restates else None}
    return sorted({day for landed in ledger.commits() if landed.fingerprint in names for day in landed.days})


def compare(home: Home, restated: Landed, target: Path) -> dict[str, int]:
    """Which events the corrected file removes, adds, changes and leaves, against the one that it replaces.

    Events are matched by event_id; the row number and the file name do not count as a change. An event of the withdrawn
    file that a third file holds too counts as removed, and that file's copy takes its place.

    Args:
        target: Parquet file to write: event_id, change; the unchanged ones are left out.

    Returns:
        Number of events by change, all of CHANGES.
    """
    if restated.restates is None:
        raise ValueError(f"{restated.file} replaces no other file")
    commits = Ledger(home).commits()
    earlier = commits[: commits.index(restated)]
    replaced = [landed for landed in earlier if landed.fingerprint == restated.restates.replaces][-1]
    target.parent.mkdir(parents=True, exist_ok=True)
    contents = (SQL / "event_contents.sql").read_text("utf-8")
    with connect_offline() as connection:
        for name, landed in (("before", replaced), ("after", restated)):
            create_raw_events_view(connection, _fragments(home, landed))
            connection.execute(f"CREATE TEMP TABLE {name}_file AS {contents}")
        connection.execute(f"CREATE TEMP TABLE compared AS {(SQL / 'compared_files.sql').read_text('utf-8')}")
        connection.execute("SET VARIABLE target = ?", [str(target)])
        connection.execute(
            "COPY (SELECT event_id, change FROM compared WHERE change <> 'unchanged' ORDER BY change, event_id)"
            " TO (getvariable('target')) (FORMAT parquet)"
        )
        counts: MappingType[str, int] = dict(
            connection.execute("SELECT change, count(*) FROM compared GROUP BY change").fetchall()
        )
    return {change: counts.get(change, 0) for change in CHANGES}


def _fragments(home: Home, landed: Landed) -> Sequence[Path]:
    return [fragment_path(home.events, day, landed.name_in_lake) for day in sorted(landed.days)]


def _made_already(ledger: Ledger, fingerprint: str, replaces: str, mapping: Mapping) -> Landed | None:
    landed = ledger.landed().get(fingerprint)
    if landed is None or landed.restates is None:
        return None
    if replaces in (landed.fingerprint, landed.file) and landed.mapping_hash != mapping.hash:
        return None
    replaced = [one for one in ledger.commits() if one.fingerprint == landed.restates.replaces]
    return landed if replaces in {landed.restates.replaces, *(one.file for one in replaced)} else None


def _find(ledger: Ledger, replaces: str, fingerprint: str, mapping: Mapping) -> Landed:
    """The landed file to replace; itself only where no other has the name and the mapping changed."""
    landed = ledger.landed()
    found = [
        one for one in landed.values() if replaces in (one.fingerprint, one.file) and one.fingerprint != fingerprint
    ]
    if len(found) == 1:
        return found[0]
    if found:
        which = ", ".join(f"{one.fingerprint} ({one.first_event_day} to {one.last_event_day})" for one in found)
        raise UsageError(f"{len(found)} files named {replaces} have landed. Name the one to replace: {which}.")
    itself = landed.get(fingerprint)
    if itself is not None and replaces in (itself.fingerprint, itself.file):
        if itself.mapping_hash != mapping.hash:
            return itself
        raise UsageError(
            f"{replaces} has exactly the content of the file that is to replace it, and landed by this very mapping: "
            "nothing to correct. Name a corrected file, or correct mapping.toml in the home first."
        )
    for name, successor in ledger.withdrawn().items():
        if replaces in (name, *(one.file for one in ledger.commits() if one.fingerprint == name)):
            raise UsageError(
                f"{replaces} has been replaced by {successor.file} already. Name that one: {successor.fingerprint}."
            )
    raise UsageError(f"No file '{replaces}' has landed.{suggest(replaces, [one.file for one in landed.values()])}")
