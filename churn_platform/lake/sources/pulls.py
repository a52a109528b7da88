"""Incremental pulls: which batches of a PostgreSQL relation have been taken, so that a kill loses and doubles nothing.

A batch is written to a hidden file; one line in `lake/pulls.jsonl` then commits its name, its fingerprint and the
cursor that it reaches; then the file gets its name. A kill before the line repeats the batch; a kill after it leaves
the rename to the next pull, which does that first.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churn_platform.errors import UsageError
from churn_platform.lake.journal import Journal
from churn_platform.lake.landing import LandingFile, settle
from churn_platform.lake.ledger import Ledger, Mode
from churn_platform.lake.mapping import Mapping
from churn_platform.lake.source_file import fingerprint_of
from churn_platform.lake.sources.declarations import Postgres
from churn_platform.lake.sources.postgres import Batch, PostgresRows, connected
from churn_platform.settings import Home


@dataclass(frozen=True)
class PullReport:
    """What one pull took.

    `cursor`: the value reached so far, None without a cursor; `without_cursor`: rows that a first pull had to leave
    because their cursor is NULL.
    """

    files: list[LandingFile]
    rows: int
    cursor: str | None
    without_cursor: int = 0

    @property
    def told(self) -> str:
        """The pull in one sentence or two, for a person."""
        reached = f", up to {self.cursor}" if self.cursor is not None else ""
        left = f" {self.without_cursor:,} rows were left, as their cursor is NULL." if self.without_cursor else ""
        return f"{self.rows:,} rows pulled from PostgreSQL{reached}.{left}"


def pull(home: Home, mapping: Mapping, mode: Mode) -> PullReport:
    """Take the rows beyond the last committed cursor, in batches, as Parquet files in landing.

    Without a cursor it takes all rows as one file, which the ledger knows by its content. One pull at a time: the
    caller holds a lock. Files of an earlier pull that still wait are not repeated.

    Raises:
        UsageError: the mapping has no [source.postgres], or the extension is not installed.
        InputError: the server, the relation, the cursor or a column is not there.
    """
    declared = mapping.source.postgres
    if declared is None:
        raise UsageError(
            "The mapping has no section [source.postgres]. Write one with table or query, and cursor for incremental "
            "pulls; README.md shows an example."
        )
    state = _PullState(home, declared)
    finished = state.finish()
    with connected(declared, mapping) as rows:
        missed = rows.without_cursor() if declared.cursor and state.cursor is None else 0
        taken = list(_take(rows, declared, state, mode))
    files = [*finished, *(file for file, _ in taken)]
    return PullReport(files, sum(count for _, count in taken), state.cursor, missed)


def _take(rows: PostgresRows, declared: Postgres, state: "_PullState", mode: Mode) -> Iterator[tuple[LandingFile, int]]:
    if declared.cursor is None:
        if (taken := state.write(rows, Batch(None, None), mode)) is not None:
            yield taken
        return
    last = rows.last(state.cursor)
    while last is not None and (batch := rows.next_batch(state.cursor, last)) is not None:
        if (taken := state.write(rows, batch, mode)) is not None:
            yield taken


class _PullState:
    """The committed batches of one relation and cursor; another relation or cursor begins anew."""

    def __init__(self, home: Home, declared: Postgres) -> None:
        self._home = home
        self._journal = Journal(home.lake / "pulls.jsonl")
        identity = [declared.table, declared.query, declared.cursor]
        self._relation = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
        self._stem = (declared.table or "query").replace("/", "-")

    @property
    def cursor(self) -> str | None:
        """The cursor value that the last committed batch reached."""
        batches = [record for record in self._journal.records() if record["relation"] == self._relation]
        return batches[-1]["cursor"] if batches else None

    def finish(self) -> list[LandingFile]:
        """Give the last committed batch its name, if a kill came between."""
        batches = self._journal.records()
        if not batches:
            return []
        record = batches[-1]
        part = self._part(record)
        if not part.exists() or fingerprint_of(part) != record["fingerprint"]:
            return []
        return [self._settle(record)]

    def write(self, rows: PostgresRows, batch: Batch, mode: Mode) -> tuple[LandingFile, int] | None:
        """Write, commit and name one batch; None if it holds no rows, or (without a cursor) rows that landed before."""
        number = len(self._journal.records()) + 1
        record: dict[str, Any] = {"file": f"{self._stem}-{number:06d}.parquet", "mode": mode, "cursor": batch.upto}
        part = self._part(record)
        part.parent.mkdir(parents=True, exist_ok=True)
        count = rows.write(batch, part)
        fingerprint = fingerprint_of(part)
        landed_before = batch.upto is None and Ledger(self._home).is_landed(fingerprint)
        if count == 0 or landed_before:
            part.unlink()
            return None
        self._journal.append({**record, "relation": self._relation, "fingerprint": fingerprint, "rows": count})
        return self._settle(record), count

    def _settle(self, record: dict[str, Any]) -> LandingFile:
        part = self._part(record)
        return LandingFile(settle(part, part.parent, record["file"]), record["mode"])

    def _part(self, record: dict[str, Any]) -> Path:
        folder = self._home.history_landing if record["mode"] == "history" else self._home.landing
        return folder / f".{record['file']}.part"
