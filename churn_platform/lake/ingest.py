"""One file from landing to committed fragments in the lake."""

import glob
import resource
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import duckdb

from churn_platform.errors import InputError
from churn_platform.lake.canonical import create_canonical_view, time_format_of
from churn_platform.lake.ledger import ONE_DAY, Landed, Ledger, Mode
from churn_platform.lake.mapping import Mapping
from churn_platform.lake.records import Malformed, check_whole, create_records_view, how_read, malformed_records
from churn_platform.lake.source_file import CONTAINERS, FileFacts, examine, fingerprint_of, in_utf8
from churn_platform.lake.staging import (
    Staged,
    merge_parts,
    publish,
    staging_folder,
    summarise,
    write_parts,
    write_quarantine,
)
from churn_platform.settings import Home, shop_day

MEMORY_LIMIT = "3GB"
OPEN_FILES = 4096
REPORT_SECONDS = 0.5

# Rows read so far, and rows to read.
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class DayRange:
    """The arrival days, both included, that a file has or would have rows for."""

    first: date
    last: date


@dataclass(frozen=True)
class FileReport:
    """What became of one file. `rows + quarantined` is the number of its records.

    `days`: landed rows by shop-local arrival day; `reasons`: quarantined rows by reason; `event_types`: landed rows by
    type, unknown types included; `first_event_day` and `last_event_day`: shop-local; `read_as`: format, encoding and
    dialect, each declared or detected (empty for a file that had landed before).
    """

    fingerprint: str
    file: str
    mode: Mode
    status: Literal["landed", "already landed"]
    rows: int
    quarantined: int
    reasons: dict[str, int] = field(default_factory=dict)
    event_types: dict[str, int] = field(default_factory=dict)
    days: dict[date, int] = field(default_factory=dict)
    first_event_day: date | None = None
    last_event_day: date | None = None
    read_as: str = ""


def look(file: Path, mode: Mode, mapping: Mapping, home: Home, timezone: str, arrived_at: datetime) -> DayRange:
    """The arrival days that `ingest` with the same arguments would write to; lands and records nothing.

    A file that is already landed gives the days it landed in.

    Raises:
        InputError: the file cannot be read through the mapping, or no row of it can land.
    """
    facts = examine(file, mapping.source.format, mapping.source.encoding)
    ledger = Ledger(home)
    ledger.refuse_withdrawn(facts.fingerprint, file.name)
    landed = ledger.landed().get(facts.fingerprint)
    if landed is not None:
        return DayRange(min(landed.days), max(landed.days))
    arrival = ledger.arrived(facts.fingerprint)
    arrived_at = arrival.arrived_at if arrival else arrived_at
    home.lake.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".look-", dir=home.lake) as folder:
        scratch = Path(folder)
        facts = in_utf8(facts, scratch)
        job = _Job(facts, mapping, scratch / "spill", timezone, arrival.mode if arrival else mode, arrived_at)
        with _connection(job) as connection:
            _create_views(connection, job, [])
            bounds = connection.execute("SELECT min(known_date), max(known_date) FROM canonical").fetchone()
    if bounds is None or bounds[0] is None:
        raise InputError(
            f"{file.name}: no row can land: it holds no rows, or each lacks something required. `ingest` says which."
        )
    return DayRange(*bounds)


def ingest(
    file: Path,
    mode: Mode,
    mapping: Mapping,
    home: Home,
    timezone: str,
    arrived_at: datetime,
    report: Report | None = None,
    memory_limit: str = MEMORY_LIMIT,
) -> FileReport:
    """Land one file: all its rows are committed or quarantined, or nothing of it lands.

    Needs the home's writer lock. A file whose content is already landed changes nothing. A kill at any point leaves
    nothing that `Ledger.fragments` returns; the next call for the same file starts over. The file itself stays where
    it is.

    Args:
        timezone: the shop's zone.
        arrived_at: with offset; counts only at the first sight of this content, later the ledger's record does.
        report: called about twice a second from another thread with estimates of the rows read and to read, and once
            at the end with the exact number as both.
        memory_limit: DuckDB's; more goes to disk inside the home.

    Raises:
        InputError: the file or the mapping is wrong, too large a share of rows is rejected, or the home holds another
            source. Nothing landed; the ledger says `rejected`.
    """
    ledger = Ledger(home)
    facts = _examined(file, mode, mapping, ledger, arrived_at)
    landed = ledger.landed().get(facts.fingerprint)
    if landed is not None:
        return _report(landed, "already landed")
    arrival = ledger.arrival(facts.fingerprint, file.name, mode, arrived_at)
    try:
        ledger.refuse_withdrawn(facts.fingerprint, file.name)
        record, read_as = write(facts, mapping, home, timezone, arrival.mode, arrival.arrived_at, report, memory_limit)
    except InputError as error:
        ledger.reject(facts.fingerprint, file.name, str(error))
        raise
    ledger.commit(record)
    if report is not None:
        report(record.rows + record.quarantined, record.rows + record.quarantined)
    return replace(_report(record, "landed"), read_as=read_as)


def write(
    facts: FileFacts,
    mapping: Mapping,
    home: Home,
    timezone: str,
    mode: Mode,
    arrived_at: datetime,
    report: Report | None = None,
    memory_limit: str = MEMORY_LIMIT,
) -> tuple[Landed, str]:
    """Write a file's rows to the lake and the quarantine, durably; nobody reads them before the ledger commits them.

    Returns:
        What to commit, and how the file was read (see `FileReport`).

    Raises:
        InputError: see `ingest`; nothing was written.
    """
    _check_source(Ledger(home), mapping)
    folder = staging_folder(home, facts.fingerprint)
    try:
        facts = in_utf8(facts, folder)
        job = _Job(facts, mapping, folder / "spill", timezone, mode, arrived_at, memory_limit, report)
        staged = _stage(job, folder)
        read_as = how_read(facts, mapping)
        publish(staged, home, facts.fingerprint)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _landed(job, staged), read_as


@dataclass(frozen=True)
class _Job:
    facts: FileFacts
    mapping: Mapping
    spill: Path
    timezone: str
    mode: Mode
    arrived_at: datetime
    memory_limit: str = MEMORY_LIMIT
    report: Report | None = None

    @property
    def file(self) -> Path:
        return self.facts.path


def _examined(file: Path, mode: Mode, mapping: Mapping, ledger: Ledger, arrived_at: datetime) -> FileFacts:
    try:
        return examine(file, mapping.source.format, mapping.source.encoding)
    except InputError as error:
        if file.is_file():
            fingerprint = fingerprint_of(file)
            ledger.arrival(fingerprint, file.name, mode, arrived_at)
            ledger.reject(fingerprint, file.name, str(error))
        raise


def _check_source(ledger: Ledger, mapping: Mapping) -> None:
    others = [name for name in ledger.sources() if name != mapping.source.name]
    if others:
        raise InputError(
            f"This home holds the source '{others[0]}', the mapping says '{mapping.source.name}'. One home holds one "
            "shop: choose another home with --home, or correct the name under [source] in the mapping."
        )


def _stage(job: _Job, folder: Path) -> Staged:
    """Two passes only for text with malformed records: the numbers of the rows after them must count them."""
    before = job.file.stat()
    malformed = _write_rows(job, folder, [])
    if malformed:
        _write_rows(job, folder, malformed)
    after = job.file.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InputError(f"{job.file.name} changed while it was read. Drop it again once it is complete.")
    with _connection(job) as connection:
        merge_parts(connection, folder)
        write_quarantine(connection, folder, job.file.name, malformed)
        staged = summarise(connection, folder, job.timezone)
        _check_last_line(connection, job.facts)
        _check_rejected(connection, job, staged)
    return staged


def _write_rows(job: _Job, folder: Path, malformed: list[Malformed]) -> list[Malformed]:
    with _connection(job) as connection:
        _create_views(connection, job, malformed)
        with _progress(connection, job):
            write_parts(connection, folder)
        found = malformed_records(connection, job.facts)
    check_whole(job.facts, found)
    return found


def _create_views(connection: duckdb.DuckDBPyConnection, job: _Job, malformed: list[Malformed]) -> None:
    create_records_view(connection, job.facts, job.mapping, malformed)
    create_canonical_view(
        connection,
        job.mapping,
        file=job.file.name,
        mode=job.mode,
        timezone=job.timezone,
        arrived_at=job.arrived_at,
    )


def _check_last_line(connection: duckdb.DuckDBPyConnection, facts: FileFacts) -> None:
    if facts.kind != "jsonl" or facts.last_line is None:
        return
    line = facts.lines + 1
    broken = connection.execute(
        "SELECT detail FROM rejected WHERE source_row = ? AND reason = 'broken JSON'", [line]
    ).fetchone()
    if broken:
        raise InputError(
            f"{facts.path.name} line {line} is half written: the file ends in {broken[0][-100:]!r}, which is not a "
            "whole JSON object, without a line end. Wait until the export is complete and drop the file again."
        )


def _check_rejected(connection: duckdb.DuckDBPyConnection, job: _Job, staged: Staged) -> None:
    total, limit = staged.rows + staged.quarantined, job.mapping.source.max_rejected_share
    if total == 0:
        raise InputError(f"{job.file.name} has a header but no rows. Expected at least one. Export it again.")
    if staged.rows and staged.quarantined <= limit * total:
        return
    first = connection.execute(
        "SELECT source_row, reason, coalesce(detail, ''), original FROM rejected ORDER BY source_row LIMIT 1"
    ).fetchall()
    row, reason, text, original = first[0]
    place = f"line {row + 1}" if job.facts.kind in ("csv", "xlsx") else f"row {row}"
    expected = f" (expected {time_format_of(job.mapping)})" if reason == "unreadable event_time" else ""
    counts = ", ".join(f"{name}: {count}" for name, count in staged.reasons.items())
    raise InputError(
        f"{job.file.name}: {staged.quarantined} of {total} rows cannot land, more than max_rejected_share = {limit} "
        f"allows, so nothing of the file landed. Reasons: {counts}. The first is {place}: {reason} "
        f"{text[:200]!r}{expected} in {original[:300]}. Correct the file or the mapping, "
        "or raise max_rejected_share under [source]."
    )


def _landed(job: _Job, staged: Staged) -> Landed:
    if staged.first_event_day is None or staged.last_event_day is None:
        raise ValueError("a file without landed rows cannot be committed")
    live = job.mode == "live"
    return Landed(
        fingerprint=job.facts.fingerprint,
        file=job.file.name,
        mode=job.mode,
        source=job.mapping.source.name,
        rows=staged.rows,
        quarantined=staged.quarantined,
        reasons=staged.reasons,
        event_types=staged.event_types,
        days=staged.days,
        first_event_day=staged.first_event_day,
        last_event_day=staged.last_event_day,
        mapping_hash=job.mapping.hash,
        last_full_day=None if live else staged.last_event_day - ONE_DAY,
        arrival_day=shop_day(job.arrived_at, job.timezone) if live else None,
    )


def _report(landed: Landed, status: Literal["landed", "already landed"]) -> FileReport:
    return FileReport(
        fingerprint=landed.fingerprint,
        file=landed.file,
        mode=landed.mode,
        status=status,
        rows=landed.rows,
        quarantined=landed.quarantined,
        reasons=dict(landed.reasons),
        event_types=dict(landed.event_types),
        days=dict(landed.days),
        first_event_day=landed.first_event_day,
        last_event_day=landed.last_event_day,
    )


@contextmanager
def _connection(job: _Job) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB without extensions that spills inside the home and, when it fails, names the user's file."""
    soft_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "memory_limit": job.memory_limit,
        "temp_directory": str(job.spill),
        "partitioned_write_max_open_files": str(min(OPEN_FILES, soft_limit // 2)),
    }
    with duckdb.connect(config=settings) as connection:
        connection.execute("SET enable_progress_bar = true")
        connection.execute("SET enable_progress_bar_print = false")
        try:
            yield connection
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            if "No space left" in str(error):
                raise
            raise InputError(
                f"{job.file.name} cannot be read as {job.facts.kind}: {str(error).splitlines()[0]} "
                "The file is damaged or mixes line ends, quotes or types. Export it again."
            ) from error


@contextmanager
def _progress(connection: duckdb.DuckDBPyConnection, job: _Job) -> Iterator[None]:
    if job.report is None:
        yield
        return
    done, report, records = threading.Event(), job.report, _expected_records(connection, job.facts)

    def watch() -> None:
        while not done.wait(REPORT_SECONDS):
            report(int(records * max(0.0, connection.query_progress()) / 100), records)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _expected_records(connection: duckdb.DuckDBPyConnection, facts: FileFacts) -> int:
    if facts.kind not in CONTAINERS:
        return facts.lines
    if facts.kind == "xlsx":
        return int(connection.execute("SELECT count(*) FROM records").fetchall()[0][0])
    connection.execute("SET VARIABLE file = ?", [glob.escape(str(facts.path))])
    rows = connection.execute("SELECT sum(num_rows) FROM parquet_file_metadata(getvariable('file'))").fetchall()
    return int(rows[0][0])
