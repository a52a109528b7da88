"""The ledger of the lake: which file arrived when, and which of them are committed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from churn_platform.errors import InputError
from churn_platform.lake.journal import Journal
from churn_platform.settings import Home

Mode = Literal["history", "live"]

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Arrival:
    """The first sight of a file: `arrived_at` carries its offset and never changes afterwards."""

    fingerprint: str
    file: str
    mode: Mode
    arrived_at: datetime


@dataclass(frozen=True)
class Restatement:
    """That a file takes the place of another: whose, as if arrived when, decided by whom, why, and when (offsets)."""

    replaces: str
    arrived_at: datetime
    by: str
    note: str
    decided_at: datetime


@dataclass(frozen=True)
class Landed:
    """A committed file: rows landed by shop-local arrival day, rows quarantined by reason.

    `first_event_day` and `last_event_day` are shop-local. `last_full_day` (history only) is the day before the last
    event's day; `arrival_day` (live only) is the shop-local day of the arrival. `unmapped`: by column, the values that
    its value map does not know, with their rows. `columns`: the file's own, those that no file before it had, and those
    that files before it had and the mapping names. With `restates`, the line that commits the file withdraws the one
    whose place it takes. `stored_as`: the name of its files in the lake where that is not the fingerprint.
    """

    fingerprint: str
    file: str
    mode: Mode
    source: str
    rows: int
    quarantined: int
    reasons: Mapping[str, int]
    event_types: Mapping[str, int]
    days: Mapping[date, int]
    first_event_day: date
    last_event_day: date
    mapping_hash: str
    last_full_day: date | None = field(default=None)
    arrival_day: date | None = field(default=None)
    unmapped: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    columns: Sequence[str] = field(default_factory=list)
    new_columns: Sequence[str] = field(default_factory=list)
    missing_columns: Sequence[str] = field(default_factory=list)
    restates: Restatement | None = field(default=None)
    stored_as: str = ""

    @property
    def name_in_lake(self) -> str:
        """The name of its fragments and of its quarantine: a content that is restated is stored anew, nothing over."""
        return self.stored_as or self.fingerprint


@dataclass(frozen=True)
class Headers:
    """A file of headers that is kept in the lake: its rows, those quarantined by reason, and its columns.

    `mapping_hash`: of the mapping that it was kept through; which rows and columns are kept depends on it.
    """

    fingerprint: str
    file: str
    source: str
    rows: int
    quarantined: int
    reasons: Mapping[str, int]
    columns: Sequence[str]
    mapping_hash: str = ""


class Ledger:
    """`lake/files.jsonl` of one home. Every method reads the file anew, so two instances never disagree."""

    def __init__(self, home: Home) -> None:
        self._events = home.events
        self._journal = Journal(home.ledger_file)

    def arrival(self, fingerprint: str, file: str, mode: Mode, arrived_at: datetime) -> Arrival:
        """Record the first sight of a file and return it; at every later sight return what was recorded.

        The arrival time never changes. A file that never landed may come again in the other mode.

        Raises:
            ValueError: `arrived_at` has no offset.
        """
        if arrived_at.tzinfo is None:
            raise ValueError(f"the arrival {arrived_at} of {file} has no offset; pass a time with its zone")
        known = self.arrived(fingerprint)
        if known is not None and (known.mode == mode or self.is_landed(fingerprint)):
            return known
        first_seen = known.arrived_at if known else arrived_at
        arrival = Arrival(fingerprint, file, mode, first_seen)
        record = {"fingerprint": fingerprint, "file": file, "mode": mode, "arrived_at": first_seen.isoformat()}
        self._journal.append({"kind": "arrival", **record})
        return arrival

    def arrived(self, fingerprint: str) -> Arrival | None:
        """The recorded arrival of a file, that of the replaced one for a restatement; None if it was never seen."""
        landed = self.landed().get(fingerprint)
        if landed is not None and landed.restates is not None:
            return Arrival(fingerprint, landed.file, landed.mode, landed.restates.arrived_at)
        found = None
        for record in self._records("arrival"):
            if record["fingerprint"] == fingerprint:
                arrived_at = datetime.fromisoformat(record["arrived_at"])
                found = Arrival(fingerprint, record["file"], record["mode"], arrived_at)
        return found

    def expect(self, fingerprint: str, first: date, last: date) -> None:
        """Record the arrival days that a waiting file has rows for, found by a look at it before it is ingested."""
        days = {"first": first.isoformat(), "last": last.isoformat()}
        self._journal.append({"kind": "expected", "fingerprint": fingerprint, **days})

    def expected(self, fingerprint: str) -> tuple[date, date] | None:
        """First and last arrival day of a file that was looked at, or None."""
        return self.expectations().get(fingerprint)

    def first_expected_day(self) -> date | None:
        """The earliest arrival day of all files that landed or may still land; None before the first."""
        refused = self.refusals()
        waiting = [days[0] for name, days in self.expectations().items() if name not in refused]
        return min([*waiting, *self.days()[:1]], default=None)

    def refusals(self) -> dict[str, str]:
        """Files of which nothing landed, by fingerprint, with the reason; one that landed later is none."""
        landed = {*self.landed(), *self.headers()}
        refused = {record["fingerprint"]: record["reason"] for record in self._records("rejected")}
        return {name: reason for name, reason in refused.items() if name not in landed}

    def expectations(self) -> dict[str, tuple[date, date]]:
        """First and last arrival day of every file that was ever looked at, by fingerprint."""
        return {
            record["fingerprint"]: (date.fromisoformat(record["first"]), date.fromisoformat(record["last"]))
            for record in self._records("expected")
        }

    def commit(self, landed: Landed) -> None:
        """Write the line that makes a file's fragments readable; its fragments must already be durable."""
        self._journal.append({"kind": "landed", **_landed_record(landed)})

    def reject(self, fingerprint: str, file: str, reason: str) -> None:
        """Record that nothing of a file landed, and why. The same file may be tried again."""
        self._journal.append({"kind": "rejected", "fingerprint": fingerprint, "file": file, "reason": reason})

    def is_landed(self, fingerprint: str) -> bool:
        """Whether a file of this content is committed, as events or as headers."""
        return fingerprint in self.landed() or fingerprint in self.headers()

    def landed(self) -> dict[str, Landed]:
        """All committed files by fingerprint, in the order of their commits; without those that were withdrawn."""
        found: dict[str, Landed] = {}
        for landed in self.commits():
            found.pop(landed.fingerprint, None)
            if landed.restates is not None:
                found.pop(landed.restates.replaces, None)
            found[landed.fingerprint] = landed
        return found

    def commits(self) -> list[Landed]:
        """Every commit that was ever made, withdrawn files included, oldest first."""
        return [_landed_from(record) for record in self._records("landed")]

    def withdrawn(self) -> dict[str, Landed]:
        """Files whose rows were withdrawn, by fingerprint, each with the file that took its place."""
        found: dict[str, Landed] = {}
        for landed in self.commits():
            found.pop(landed.fingerprint, None)
            if landed.restates is not None and landed.restates.replaces != landed.fingerprint:
                found[landed.restates.replaces] = landed
        return found

    def refuse_withdrawn(self, fingerprint: str, file: str) -> None:
        """Rows that a restatement has withdrawn do not come back by dropping their file again.

        Raises:
            InputError: the file was withdrawn.
        """
        successor = self.withdrawn().get(fingerprint)
        if successor is not None and successor.restates is not None:
            decided = successor.restates
            raise InputError(
                f"The rows of {file} were withdrawn by {decided.by} on {decided.decided_at:%Y-%m-%d} "
                f"({decided.note!r}): {successor.file} took its place. To bring them back: "
                f"churn restate {file} --replaces {successor.fingerprint} --by NAME --note TEXT."
            )

    def commit_headers(self, headers: Headers) -> None:
        """Write the line that makes a file's headers count; their file must already be durable."""
        fields = {**vars(headers), "reasons": dict(headers.reasons), "columns": list(headers.columns)}
        self._journal.append({"kind": "headers", **fields})

    def headers(self) -> dict[str, Headers]:
        """All committed files of headers by fingerprint, in the order of their commits."""
        records = [
            {name: value for name, value in record.items() if name != "kind"} for record in self._records("headers")
        ]
        return {record["fingerprint"]: Headers(**record) for record in records}

    def fragments(self, first: date | None = None, last: date | None = None) -> list[Path]:
        """Committed Parquet files with `first <= known_date <= last` (None: no bound), by day and fingerprint."""
        found = [
            (day, landed.name_in_lake)
            for landed in self.landed().values()
            for day in landed.days
            if (first is None or day >= first) and (last is None or day <= last)
        ]
        return [fragment_path(self._events, day, name) for day, name in sorted(found)]

    def days(self) -> list[date]:
        """The arrival days that hold committed rows, ascending."""
        return sorted({day for landed in self.landed().values() for day in landed.days})

    def history_watermark(self) -> date | None:
        """The last full day that a history load has declared, one withdrawn since included; None without one."""
        return max((landed.last_full_day for landed in self.commits() if landed.last_full_day), default=None)

    def watermark(self) -> date | None:
        """The last arrival day declared complete (design, section 3); None while the lake is empty.

        A history load declares its last full day, a live delivery the day before its arrival; the later one holds. A
        file that was withdrawn since had arrived all the same, so that a restatement never turns the clock back.
        """
        complete = [landed.arrival_day - ONE_DAY for landed in self.commits() if landed.arrival_day]
        history = self.history_watermark()
        return max([*complete, history] if history else complete, default=None)

    def names_through(self, day: date) -> list[str]:
        """Names in the lake of the committed files that hold rows with `known_date <= day`, ascending."""
        return sorted(one.name_in_lake for one in self.landed().values() if any(known <= day for known in one.days))

    def state(self) -> str:
        """Hash of the committed files: the same as long as nothing more has landed."""
        return hashlib.sha256(
            "\n".join(sorted(one.name_in_lake for one in self.landed().values())).encode()
        ).hexdigest()[:16]

    def sources(self) -> list[str]:
        """The names of the committed sources, ascending; a home accepts one."""
        events = {landed.source for landed in self.landed().values()}
        return sorted(events | {headers.source for headers in self.headers().values()})

    def _records(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self._journal.records() if record["kind"] == kind]


def fragment_path(events: Path, day: date, name_in_lake: str) -> Path:
    """Where the rows of one file and one arrival day lie."""
    return events / f"known_date={day.isoformat()}" / f"{name_in_lake}.parquet"


def _landed_record(landed: Landed) -> dict[str, Any]:
    def text(day: date | None) -> str | None:
        return day.isoformat() if day else None

    return {
        "fingerprint": landed.fingerprint,
        "file": landed.file,
        "mode": landed.mode,
        "source": landed.source,
        "rows": landed.rows,
        "quarantined": landed.quarantined,
        "reasons": dict(landed.reasons),
        "event_types": dict(landed.event_types),
        "days": {day.isoformat(): rows for day, rows in landed.days.items()},
        "first_event_day": text(landed.first_event_day),
        "last_event_day": text(landed.last_event_day),
        "mapping_hash": landed.mapping_hash,
        "last_full_day": text(landed.last_full_day),
        "arrival_day": text(landed.arrival_day),
        "unmapped": {column: dict(values) for column, values in landed.unmapped.items()},
        "columns": list(landed.columns),
        "new_columns": list(landed.new_columns),
        "missing_columns": list(landed.missing_columns),
        "restates": _restatement_record(landed.restates) if landed.restates else None,
        "stored_as": landed.stored_as,
    }


def _restatement_record(restatement: Restatement) -> dict[str, str]:
    return {
        "replaces": restatement.replaces,
        "arrived_at": restatement.arrived_at.isoformat(),
        "by": restatement.by,
        "note": restatement.note,
        "decided_at": restatement.decided_at.isoformat(),
    }


def _restatement_from(record: dict[str, str]) -> Restatement:
    moments = {name: datetime.fromisoformat(record[name]) for name in ("arrived_at", "decided_at")}
    return Restatement(replaces=record["replaces"], by=record["by"], note=record["note"], **moments)


def _landed_from(record: dict[str, Any]) -> Landed:
    dates: dict[str, Any] = {
        name: date.fromisoformat(record[name]) if record[name] else None
        for name in ("first_event_day", "last_event_day", "last_full_day", "arrival_day")
    }
    days = {date.fromisoformat(day): rows for day, rows in record["days"].items()}
    restates = _restatement_from(record["restates"]) if record.get("restates") else None
    plain = {name: value for name, value in record.items() if name not in {"kind", "days", "restates", *dates}}
    return Landed(**plain, **dates, days=days, restates=restates)
