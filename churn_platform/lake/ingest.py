"""One file from landing to committed fragments in the lake."""

import shutil
import tempfile
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import duckdb

from churn_platform.errors import InputError
from churn_platform.lake.canonical import create_canonical_view, time_format_of
from churn_platform.lake.header_files import keep_headers
from churn_platform.lake.header_join import KnownHeaders, join_headers, known_headers
from churn_platform.lake.ledger import ONE_DAY, Headers, Landed, Ledger, Mode
from churn_platform.lake.mapping import Join, Mapping
from churn_platform.lake.numbers import create_number_macros
from churn_platform.lake.progress import Report, watched
from churn_platform.lake.reading import MEMORY_LIMIT, reading
from churn_platform.lake.records import Malformed, check_whole, create_records_view, how_read, malformed_records
from churn_platform.lake.schema_drift import Drift, EarlierColumns, drift_of, earlier_columns, may_be_missing
from churn_platform.lake.source_file import FileFacts, examine, fingerprint_of, in_utf8
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


@dataclass(frozen=True)
class DayRange:
    """The arrival days, both included, that a file has or would have rows for."""

    first: date
    last: date


@dataclass(frozen=True)
class FileReport:
    """What became of one file. `rows + quarantined` is the number of its records.

    The rows of a file of status `headers` are no events: they wait in the lake for the lines that name them.
    `days`: landed rows by shop-local arrival day; `reasons`: quarantined rows by reason; `event_types`: landed rows by
    type, unknown types included; `unmapped`: by column, values outside its value map with their rows;
    `new_columns`: kept in `properties`, no earlier file had them; `missing_columns`: earlier files had them, so NULL;
    `first_event_day` and `last_event_day`: shop-local; `read_as`: format, encoding and dialect, each declared or
    detected (empty for a file that had landed before).
    """

    fingerprint: str
    file: str
    mode: Mode
    status: Literal["landed", "already landed", "headers"]
    rows: int
    quarantined: int
    reasons: dict[str, int] = field(default_factory=dict)
    event_types: dict[str, int] = field(default_factory=dict)
    unmapped: dict[str, dict[str, int]] = field(default_factory=dict)
    new_columns: list[str] = field(default_factory=list)
    missing_columns: list[str] = field(default_factory=list)
    days: dict[date, int] = field(default_factory=dict)
    first_event_day: date | None = None
    last_event_day: date | None = None
    read_as: str = ""

    @property
    def notes(self) -> list[str]:
        """What somebody should look at though the rows have landed, one sentence each."""
        told = [
            f"{column}: passed through as they are, for [values.{column}] does not name them: "
            + ", ".join(f"{value!r} ({rows} rows)" for value, rows in values.items())
            for column, values in self.unmapped.items()
        ]
        if self.new_columns:
            told.append(f"new columns, kept in properties: {', '.join(self.new_columns)}")
        if self.missing_columns:
            told.append(f"columns that earlier files had are missing, so NULL: {', '.join(self.missing_columns)}")
        return told


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
        headers = known_headers(home, mapping, file.name)
        mode = arrival.mode if arrival else mode
        earlier = earlier_columns(ledger)
        job = _Job(facts, mapping, scratch / "spill", timezone, mode, arrived_at, headers, earlier)
        with reading(job.facts, job.spill, job.memory_limit) as connection:
            _create_views(connection, job, [])
            bounds = connection.execute("SELECT min(known_date), max(known_date) FROM canonical").fetchone()
        if bounds is None or bounds[0] is None:
            _stage(job, scratch)  # refuses the file, with the reasons and the first bad row
            raise InputError(f"{file.name}: no row can land.")
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

    A file of headers (`[join]` of the mapping) is kept for the lines that come after it, and holds no events.
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
    if mapping.join is not None and mapping.holds_headers(file.name):
        return _headers_report(_land_headers(facts, mapping, mapping.join, home, memory_limit), arrival.mode)
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
    stored_as: str = "",
) -> tuple[Landed, str]:
    """Write a file's rows to the lake and the quarantine, durably; nobody reads them before the ledger commits them.

    What lies there under the same name (`stored_as`, else the fingerprint) is overwritten.

    Returns:
        What to commit, and how the file was read (see `FileReport`).

    Raises:
        InputError: see `ingest`; nothing was written.
    """
    ledger = Ledger(home)
    _check_source(ledger, mapping)
    folder = staging_folder(home, facts.fingerprint)
    try:
        headers, earlier = known_headers(home, mapping, facts.path.name), earlier_columns(ledger)
        facts, spill = in_utf8(facts, folder), folder / "spill"
        job = _Job(facts, mapping, spill, timezone, mode, arrived_at, headers, earlier, memory_limit, report)
        staged, drift = _stage(job, folder)
        read_as = how_read(facts, mapping)
        publish(staged, home, stored_as or facts.fingerprint)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return replace(_landed(job, staged, drift), stored_as=stored_as), read_as


@dataclass(frozen=True)
class _Job:
    facts: FileFacts
    mapping: Mapping
    spill: Path
    timezone: str
    mode: Mode
    arrived_at: datetime
    headers: KnownHeaders | None
    earlier: EarlierColumns | None
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


def _land_headers(facts: FileFacts, mapping: Mapping, join: Join, home: Home, memory_limit: str) -> Headers:
    """A file of headers into the lake, once a mapping; needs no lock, for nothing else is touched.

    Raises:
        InputError: as `keep_headers`, or the home holds another source; the ledger says `rejected`.
    """
    ledger = Ledger(home)
    kept = ledger.headers().get(facts.fingerprint)
    if kept is not None and kept.mapping_hash == mapping.hash:
        return kept
    try:
        _check_source(ledger, mapping)
        headers = keep_headers(facts, mapping, join, home, memory_limit)
    except InputError as error:
        ledger.reject(facts.fingerprint, facts.path.name, str(error))
        raise
    ledger.commit_headers(headers)
    return headers


def _headers_report(headers: Headers, mode: Mode) -> FileReport:
    return FileReport(
        fingerprint=headers.fingerprint,
        file=headers.file,
        mode=mode,
        status="headers",
        rows=headers.rows,
        quarantined=headers.quarantined,
        reasons=dict(headers.reasons),
    )


def _check_source(ledger: Ledger, mapping: Mapping) -> None:
    others = [name for name in ledger.sources() if name != mapping.source.name]
    if others:
        raise InputError(
            f"This home holds the source '{others[0]}', the mapping says '{mapping.source.name}'. One home holds one "
            "shop: choose another home with --home, or correct the name under [source] in the mapping."
        )


def _stage(job: _Job, folder: Path) -> tuple[Staged, Drift]:
    """Two passes only for text with malformed records: the numbers of the rows after them must count them."""
    before = job.file.stat()
    malformed, drift = _write_rows(job, folder, [])
    if malformed:
        _write_rows(job, folder, malformed)
    after = job.file.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InputError(f"{job.file.name} changed while it was read. Drop it again once it is complete.")
    with reading(job.facts, job.spill, job.memory_limit) as connection:
        merge_parts(connection, folder)
        write_quarantine(connection, folder, job.file.name, malformed)
        staged = summarise(connection, folder, job.timezone, job.mapping.values)
        _check_last_line(connection, job.facts)
        _check_rejected(connection, job, staged)
    return staged, drift


def _write_rows(job: _Job, folder: Path, malformed: list[Malformed]) -> tuple[list[Malformed], Drift]:
    with reading(job.facts, job.spill, job.memory_limit) as connection:
        drift = _create_views(connection, job, malformed)
        with watched(connection, job.facts, job.report):
            write_parts(connection, folder)
        found = malformed_records(connection, job.facts)
    check_whole(job.facts, found)
    return found, drift


def _create_views(connection: duckdb.DuckDBPyConnection, job: _Job, malformed: list[Malformed]) -> Drift:
    elsewhere = [*(job.headers.columns if job.headers else []), *may_be_missing(job.mapping, job.earlier)]
    columns = create_records_view(connection, job.facts, job.mapping, malformed, elsewhere)
    if job.headers and job.mapping.join:
        join_headers(connection, job.mapping.join, job.headers, job.file.name)
    drift = drift_of(connection, job.mapping, job.earlier, columns, job.facts.kind)
    create_number_macros(connection, job.mapping.source.decimal, job.facts.kind)
    create_canonical_view(
        connection,
        job.mapping,
        file=job.file.name,
        mode=job.mode,
        timezone=job.timezone,
        arrived_at=job.arrived_at,
        kept=drift.kept,
    )
    return drift


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


def _landed(job: _Job, staged: Staged, drift: Drift) -> Landed:
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
        unmapped=staged.unmapped,
        columns=drift.columns,
        new_columns=drift.new,
        missing_columns=drift.missing,
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
        unmapped={column: dict(values) for column, values in landed.unmapped.items()},
        new_columns=list(landed.new_columns),
        missing_columns=list(landed.missing_columns),
        days=dict(landed.days),
        first_event_day=landed.first_event_day,
        last_event_day=landed.last_event_day,
    )
