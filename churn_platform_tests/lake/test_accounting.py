"""The law of ingestion: rows in = landed + quarantined, landed = staged + duplicates, and nothing is untraceable."""

import gzip
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from churn_platform.errors import InputError
from churn_platform.lake.ingest import FileReport, ingest
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.reader import create_raw_events_view
from churn_platform.settings import Home
from churn_platform.sql.library import default_library
from churn_platform.warehouse.gate import create_table
from churn_platform_tests.lake.shop_files import ARRIVED, events, mapping_of, quarantined

HEADER = b"user,time,type,qty,price"
FIELDS = HEADER.decode().split(",")
VALUES = ", ".join(["user_id", "event_time", "event_type", "quantity", "unit_price"])


@dataclass(frozen=True)
class Damage:
    """What is done to one line: bytes written over it from a place on, cut off its end, or a line put after it."""

    kind: str
    place: int
    bytes_written: bytes

    def apply(self, line: bytes) -> list[bytes]:
        at = self.place % (len(line) + 1)
        match self.kind:
            case "overwrite":
                return [line[:at] + self.bytes_written + line[at + len(self.bytes_written) :]]
            case "insert":
                return [line[:at] + self.bytes_written + line[at:]]
            case "cut":
                return [line[: max(1, at)]]
            case "repeat":
                return [line, line]
            case _:
                return [line, self.bytes_written.strip() or b"?"]


# no line ends, which would change the number of lines, no NUL and no quote: those refuse or join lines, tested apart
BYTES = st.binary(min_size=1, max_size=4).filter(lambda found: not set(found) & set(b'\n\r\0"\\{}'))
DAMAGE = st.builds(
    Damage,
    kind=st.sampled_from(["overwrite", "insert", "cut", "repeat", "stranger"]),
    place=st.integers(0, 60),
    bytes_written=BYTES,
)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["u1", "u2", "13085"]),
        st.dates(date(2024, 1, 1), date(2024, 5, 1)).map(lambda day: f"{day} 10:00:00"),
        st.sampled_from(["purchase", "view"]),
        st.integers(1, 3).map(str),
        st.sampled_from(["1.5", "2"]),
    ),
    min_size=1,
    max_size=15,
)


def as_line(row: tuple[str, ...], kind: str) -> bytes:
    if kind == "csv":
        return ",".join(row).encode()
    return json.dumps(dict(zip(FIELDS, row, strict=True))).encode()


def land(lines: list[bytes], kind: str, packed: bool, folder: Path) -> tuple[Home, FileReport | None]:
    """Ingest the lines as a file; None if the file was refused as a whole."""
    content = b"\n".join([*([HEADER] if kind == "csv" else []), *lines]) + b"\n"
    path = folder / f"events.{kind}{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(content) if packed else content)
    home = Home(folder / "home").create()
    try:
        return home, ingest(path, "history", mapping_of(max_rejected_share=1.0), home, "UTC", ARRIVED)
    except InputError:
        return home, None


def staged(home: Home) -> list[tuple[object, ...]]:
    """What staging makes of the lake: one row per event_id."""
    library = default_library()
    days = Ledger(home).days()
    with duckdb.connect() as connection:
        create_raw_events_view(connection, Ledger(home).fragments())
        create_table(connection, library.contract("stg_events"), "stg_events")
        values = {"first_day": days[0], "last_day": days[-1], "timezone": "UTC", "activity_types": ["purchase"]}
        library.build(connection, "stg_events", "staged", values)
        return connection.execute(f"SELECT {VALUES} FROM staged ORDER BY ALL").fetchall()


@settings(deadline=None, max_examples=25)
@given(
    rows=ROWS,
    damages=st.lists(st.tuples(st.integers(0, 14), DAMAGE), max_size=8),
    kind=st.sampled_from(["csv", "jsonl"]),
    packed=st.booleans(),
)
def test_rows_in_are_landed_quarantined_or_duplicates_whatever_the_damage(
    rows: list[tuple[str, ...]],
    damages: list[tuple[int, Damage]],
    kind: str,
    packed: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    by_line = dict(damages)
    lines = [
        found
        for number, row in enumerate(rows)
        for found in (by_line[number].apply(as_line(row, kind)) if number in by_line else [as_line(row, kind)])
    ]
    home, report = land(lines, kind, packed, tmp_path_factory.mktemp("law"))
    if report is None:
        event("refused as a whole")
        assert Ledger(home).fragments() == [] and not list(home.events.rglob("*.parquet"))
        return
    landed = events(home, f"source_row, {VALUES}")
    bad = quarantined(home, report.fingerprint) if report.quarantined else []
    event(f"quarantined: {min(len(bad), 3)}")
    counted = sorted(int(str(row[0])) for row in [*landed, *bad])
    assert counted == list(range(1, len(lines) + 1))
    assert (len(landed), len(bad)) == (report.rows, report.quarantined)
    if landed:
        assert staged(home) == sorted({row[1:] for row in landed})
    for row, _, _, original in bad:
        encoding = "cp1252" if "cp1252" in report.read_as else "utf-8"
        assert in_original(lines[int(str(row)) - 1].decode(encoding, errors="replace"), str(original), kind)


def in_original(text: str, original: str, kind: str) -> bool:
    """Whether the quarantine has kept the whole text of a line: as it was, or split into its columns."""
    kept = json.loads(original)
    if isinstance(kept, str):
        return "\ufffd" in text or kept.strip() == text.strip()
    if kept.keys() == {"line"}:
        return "\ufffd" in text or str(kept["line"]).strip() == text.strip()
    if kind == "jsonl":
        return bool(kept == json.loads(text))
    return [value or "" for value in kept.values()] == text.split(",")


@settings(deadline=None, max_examples=15)
@given(rows=ROWS, line=st.integers(0, 14), place=st.integers(0, 40), character=st.sampled_from([b'"', b"\0"]))
def test_a_stray_quote_or_nul_costs_its_line_or_the_file_and_never_its_neighbours(
    rows: list[tuple[str, ...]], line: int, place: int, character: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [as_line(row, "csv") for row in rows]
    damaged = line % len(lines)
    lines[damaged] = Damage("insert", place, character).apply(lines[damaged])[0]
    home, report = land(lines, "csv", False, tmp_path_factory.mktemp("law"))
    if report is None:
        assert Ledger(home).fragments() == []
        return
    numbers = [int(str(row[0])) for row in events(home, "source_row")]
    numbers += [int(str(row[0])) for row in (quarantined(home, report.fingerprint) if report.quarantined else [])]
    assert sorted(numbers) == list(range(1, len(lines) + 1))
