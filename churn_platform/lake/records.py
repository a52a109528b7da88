"""A user's file as records in DuckDB: its header, the view `source_records`, and what could not be parsed at all."""

import glob
from dataclasses import dataclass

import duckdb

from churn_platform.errors import InputError
from churn_platform.lake.canonical import SQL, referenced_columns
from churn_platform.lake.csv_dialect import CsvDialect, dialect_of, header_of
from churn_platform.lake.expressions import find_column, literal, quoted
from churn_platform.lake.json_lines import RecordShape, prepare_json_lines, prepare_whole_json_lines
from churn_platform.lake.mapping import Mapping
from churn_platform.lake.source_file import CONTAINERS, FileFacts, blocks
from churn_platform.lake.workbook import as_text, date_columns, prepare_workbook

TEXT_SAMPLE = 256 * 1024
LINE_SHOWN = 64 * 1024
REASONS = {
    "MISSING COLUMNS": "ragged row",
    "TOO MANY COLUMNS": "ragged row",
    "UNQUOTED VALUE": "broken quoting",
    "INVALID ENCODING": "invalid encoding",
    "LINE SIZE OVER MAXIMUM": "line too long",
}


@dataclass(frozen=True)
class Malformed:
    """A record that is no row: its number (from 1, after the header; blank lines before it count), reason and text.

    `open_quote`: a quote of it is not closed on its line, so where the record ends cannot be told.
    """

    row: int
    reason: str
    text: str
    open_quote: bool = False


def create_records_view(
    connection: duckdb.DuckDBPyConnection,
    facts: FileFacts,
    mapping: Mapping,
    malformed: list[Malformed] | None = None,
    elsewhere: list[str] | None = None,
) -> list[str]:
    """Create the temp view `source_records`: the file's columns, `__row` (from 1), `__element`, `__record`, `__broken`.

    All text formats give text columns; the others are as `RecordShape` has them.

    Args:
        malformed: known from an earlier pass over the file; `__row` then counts them too.
        elsewhere: columns that the file may lack, because they are added to the view later.

    Returns:
        The file's columns; of JSON Lines the keys of the lines and of the objects that the mapping names fields of.

    Raises:
        InputError: the header cannot be read, or the mapping names a column that it lacks.
    """
    name, unnest, others = facts.path.name, mapping.source.unnest, elsewhere or []
    _set_file(connection, facts)
    wanted = referenced_columns(mapping)
    if facts.kind == "jsonl":
        shape = prepare_json_lines(connection, wanted, unnest, name, others)
    elif unnest is not None:
        raise InputError(
            f"Mapping key source.unnest: {name} is {facts.kind}. Only JSON Lines hold arrays whose elements become "
            "records; leave the key out."
        )
    else:
        shape = _table_shape(connection, facts, mapping)
        for column, key in wanted.items():
            find_column(column, key, [*shape.columns, *(other for other in others if other not in shape.columns)], name)
    _create_source_records(connection, shape, malformed or [])
    return [*shape.columns]


def create_headers_view(
    connection: duckdb.DuckDBPyConnection, facts: FileFacts, mapping: Mapping, malformed: list[Malformed]
) -> None:
    """Create `source_records` over a file of headers: all its columns, and fields of objects that the mapping names.

    Raises:
        InputError: the header cannot be read.
    """
    _set_file(connection, facts)
    if facts.kind == "jsonl":
        shape = prepare_whole_json_lines(connection, [*referenced_columns(mapping)], facts.path.name)
    else:
        shape = _table_shape(connection, facts, mapping)
    _create_source_records(connection, shape, malformed)


def _set_file(connection: duckdb.DuckDBPyConnection, facts: FileFacts) -> None:
    connection.execute("SET VARIABLE file = ?", [glob.escape(str(facts.readable))])
    connection.execute("SET VARIABLE compression = ?", [facts.compression or "none"])


def malformed_records(connection: duckdb.DuckDBPyConnection, facts: FileFacts) -> list[Malformed]:
    """The records that the last reading of `source_records` could not parse, by number."""
    if facts.kind in CONTAINERS:
        return []
    header_lines = 1 if facts.kind == "csv" else 0
    found = connection.execute(
        "SELECT line, arg_min(CAST(error_type AS VARCHAR), byte_position), any_value(csv_line), min(byte_position) "
        "FROM reject_errors GROUP BY line ORDER BY line"
    ).fetchall()
    open_quotes = _open_quotes(connection, facts, [at for _, error, _, at in found if error == "UNQUOTED VALUE"])
    return [
        Malformed(
            line - header_lines, REASONS.get(error, "unreadable row"), (text or "").strip("\r\n"), at in open_quotes
        )
        for line, error, text, at in found
    ]


def _open_quotes(connection: duckdb.DuckDBPyConnection, facts: FileFacts, positions: list[int]) -> set[int]:
    """Which of the broken values (by their first byte, from 1) open a quote that their line does not close.

    DuckDB shows such a record with the lines it swallowed, but beyond its buffer it shows other text.
    """
    if not positions:
        return set()
    ((quote, escape),) = connection.execute("SELECT getvariable('quote'), getvariable('escape')").fetchall()
    found, begin, window = set(), 0, b""
    wanted = sorted(positions)
    for block in blocks(facts.readable, facts.compression):
        window += block
        while wanted and wanted[0] - 1 + LINE_SHOWN < begin + len(window):
            found |= _open_at(window, wanted.pop(0), begin, quote, escape)
        drop = min(len(window), max(0, (wanted[0] - 1 if wanted else begin + len(window)) - begin))
        begin, window = begin + drop, window[drop:]
    for position in wanted:
        found |= _open_at(window, position, begin, quote, escape)
    return found


def _open_at(window: bytes, position: int, begin: int, quote: str, escape: str) -> set[int]:
    start = position - 1 - begin
    line = window[start : start + LINE_SHOWN].partition(b"\n")[0].decode(errors="replace")
    plain = line if escape == quote else line.replace(escape * 2, "").replace(escape + quote, "")
    return {position} if plain.count(quote) % 2 else set()


def check_whole(facts: FileFacts, malformed: list[Malformed]) -> None:
    """Refuse a file that was still being written: its last record is cut short.

    Raises:
        InputError: the last line has no newline and is ragged, or a quote is opened and never closed.
    """
    if not malformed:
        return
    unclosed = next((record for record in malformed if record.open_quote or _swallowed(record)), None)
    if unclosed is not None:
        raise InputError(
            f"{facts.path.name} line {unclosed.row + 1}: a quote is opened and never closed, so the rest of the file "
            f"cannot be told apart. The line begins {unclosed.text[:100]!r}. The file is half written or "
            "damaged: export it again."
        )
    last = malformed[-1]
    unfinished = (facts.last_line or "").strip("\r\n")
    if unfinished and last.text.endswith(unfinished):
        raise InputError(
            f"{facts.path.name} line {last.row + 1} is half written: the file ends in {unfinished[-100:]!r}, without "
            "all columns and without a line end. Wait until the export is complete and drop the file again."
        )


def _swallowed(record: Malformed) -> bool:
    return record.reason == "broken quoting" and "\n" in record.text


def _table_shape(connection: duckdb.DuckDBPyConnection, facts: FileFacts, mapping: Mapping) -> RecordShape:
    """Create the view `records` over a file that has a header."""
    columns = _prepare_csv(connection, facts, mapping) if facts.kind == "csv" else []
    query = (SQL / f"{facts.kind}_records.sql").read_text("utf-8")
    if facts.kind == "xlsx":
        query = _prepare_xlsx(connection, facts, mapping, query)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW records AS {query}")
    if facts.kind in CONTAINERS:
        columns = [name for name, *_ in connection.execute("DESCRIBE records").fetchall() if name != "__row"]
    record = "{" + ", ".join(f"{literal(column)}: {quoted(column)}" for column in columns) + "}"
    return RecordShape({column: quoted(column) for column in columns}, record)


def _prepare_csv(connection: duckdb.DuckDBPyConnection, facts: FileFacts, mapping: Mapping) -> list[str]:
    columns, dialect = read_csv_header(facts, mapping)
    connection.execute("SET VARIABLE columns = ?", [dict.fromkeys(columns, "VARCHAR")])
    for name in ("delimiter", "quote", "escape"):
        connection.execute(f"SET VARIABLE {name} = ?", [getattr(dialect, name)])
    return columns


def read_csv_header(facts: FileFacts, mapping: Mapping) -> tuple[list[str], CsvDialect]:
    """The column names and the dialect of a CSV file.

    Raises:
        InputError: the header is not in the declared encoding or not a record, or a name occurs twice.
    """
    head = _first_text(facts)
    dialect = dialect_of(head, facts.path, mapping.source)
    return header_of(head, facts.path.name, dialect), dialect


def how_read(facts: FileFacts, mapping: Mapping) -> str:
    """For a person: the format, and what of it was declared or detected, such as "csv, encoding cp1252 (detected)"."""
    source = mapping.source
    if facts.kind == "parquet":
        return "parquet"
    if facts.kind == "xlsx":
        return f"xlsx, sheet '{source.sheet}'" if source.sheet else "xlsx, the first sheet"
    parts = [facts.kind, f"encoding {facts.encoding} ({'declared' if source.encoding else 'detected'})"]
    if facts.kind == "csv":
        _, dialect = read_csv_header(facts, mapping)
        for name in ("delimiter", "quote", "escape"):
            known = "declared" if getattr(source, name) else "detected"
            parts.append(f"{name} {getattr(dialect, name)!r} ({known})")
    return ", ".join(parts)


def _first_text(facts: FileFacts) -> str:
    first = next(blocks(facts.readable, facts.compression))[:TEXT_SAMPLE]
    header = first.partition(b"\n")[0]
    try:
        header.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{facts.path.name} line 1 is not utf-8 text: byte 0x{header[error.start]:02x} at position {error.start}. "
            "Declare its encoding under [source] in the mapping, or export the file as UTF-8."
        ) from error
    return first.decode(errors="replace").removeprefix("\ufeff")


def _prepare_xlsx(connection: duckdb.DuckDBPyConnection, facts: FileFacts, mapping: Mapping, query: str) -> str:
    sheet = prepare_workbook(connection, facts.path, mapping.source)
    dates = date_columns(connection, facts.path, sheet, mapping.source)
    connection.execute((SQL / "excel_time.sql").read_text("utf-8"))
    return f"SELECT {as_text(dates)} FROM ({query})"


def _create_source_records(
    connection: duckdb.DuckDBPyConnection, shape: RecordShape, malformed: list[Malformed]
) -> None:
    source = "records"
    if malformed:
        _create_skipped(connection, [record.row for record in malformed])
        source = "renumbered"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW renumbered AS {(SQL / 'renumbered.sql').read_text('utf-8')}")
    selected = [
        "__row",
        f"{shape.element} AS __element",
        f"{shape.record} AS __record",
        f"{shape.broken} AS __broken",
        *(f"{value} AS {quoted(column)}" for column, value in shape.columns.items()),
    ]
    query = f"SELECT {', '.join(selected)} FROM {source}"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW source_records AS {query}")


def _create_skipped(connection: duckdb.DuckDBPyConnection, rows: list[int]) -> None:
    """For each malformed record, from which well-formed one on the numbers move, and by how many."""
    moves = {row - position + 1: position for position, row in enumerate(sorted(rows), start=1)}
    connection.execute("CREATE OR REPLACE TEMP TABLE skipped (from_row BIGINT, rejected BIGINT)")
    connection.execute(
        "INSERT INTO skipped SELECT unnest(?::BIGINT[]), unnest(?::BIGINT[])", [[*moves], [*moves.values()]]
    )
