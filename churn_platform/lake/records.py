"""A user's file as records in DuckDB: its header, the view `source_records`, and what could not be parsed at all."""

import codecs
import csv
import glob
from collections.abc import Mapping as MappingType
from dataclasses import dataclass

import duckdb

from churn_platform.errors import InputError
from churn_platform.lake.canonical import SQL, literal, referenced_columns
from churn_platform.lake.expressions import find_column, quoted
from churn_platform.lake.mapping import Mapping
from churn_platform.lake.source_file import FileFacts, blocks

DELIMITERS = ",;\t|"
KEYS_SAMPLED = 1000
TEXT_SAMPLE = 256 * 1024
REASONS = {
    "MISSING COLUMNS": "ragged row",
    "TOO MANY COLUMNS": "ragged row",
    "UNQUOTED VALUE": "broken quoting",
    "INVALID ENCODING": "invalid encoding",
    "LINE SIZE OVER MAXIMUM": "line too long",
}


@dataclass(frozen=True)
class Malformed:
    """A record that is no row: its number (from 1, after the header; blank lines before it count), reason and text."""

    row: int
    reason: str
    text: str


def create_records_view(
    connection: duckdb.DuckDBPyConnection, facts: FileFacts, mapping: Mapping, malformed: list[Malformed] | None = None
) -> None:
    """Create the temp view `source_records`: the file's columns, `__row` (from 1), `__record`, `__broken`.

    All text formats give text columns; `__record` is the whole row, `__broken` the text of a line that is not JSON.

    Args:
        malformed: known from an earlier pass over the file; `__row` then counts them too.

    Raises:
        InputError: the header cannot be read, or the mapping names a column that it lacks.
    """
    connection.execute("SET VARIABLE file = ?", [glob.escape(str(facts.path))])
    connection.execute("SET VARIABLE compression = ?", [facts.compression or "none"])
    connection.execute("SET VARIABLE encoding = ?", [mapping.source.encoding])
    wanted = referenced_columns(mapping)
    if facts.kind == "csv":
        columns = _prepare_csv(connection, facts, mapping)
    elif facts.kind == "jsonl":
        columns = _prepare_jsonl(connection, facts, wanted)
    else:
        columns = []
    query = (SQL / f"{facts.kind}_records.sql").read_text("utf-8")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW records AS {query}")
    if facts.kind == "parquet":
        columns = [name for name, *_ in connection.execute("DESCRIBE records").fetchall() if name != "__row"]
    for column, key in wanted.items():
        find_column(column, key, columns, facts.path.name)
    _create_source_records(connection, facts, columns, malformed or [])


def malformed_records(connection: duckdb.DuckDBPyConnection, facts: FileFacts) -> list[Malformed]:
    """The records that the last reading of `source_records` could not parse, by number."""
    if facts.kind == "parquet":
        return []
    header_lines = 1 if facts.kind == "csv" else 0
    found = connection.execute(
        "SELECT line, arg_min(CAST(error_type AS VARCHAR), byte_position), any_value(csv_line) "
        "FROM reject_errors GROUP BY line ORDER BY line"
    ).fetchall()
    return [
        Malformed(line - header_lines, REASONS.get(error, "unreadable row"), (text or "").strip("\r\n"))
        for line, error, text in found
    ]


def check_whole(facts: FileFacts, malformed: list[Malformed]) -> None:
    """Refuse a file that was still being written: its last record is cut short.

    Raises:
        InputError: the last line has no newline and is ragged, or a quote is opened and never closed.
    """
    if not malformed:
        return
    last = malformed[-1]
    if last.reason == "broken quoting" and "\n" in last.text:
        raise InputError(
            f"{facts.path.name} line {last.row + 1}: a quote is opened and never closed, so the rest of the file "
            f"cannot be told apart. The line begins {last.text[:100]!r}. The file is half written or "
            "damaged: export it again."
        )
    unfinished = (facts.last_line or b"").decode("utf-8", errors="replace").strip("\r\n")
    if unfinished and last.text.endswith(unfinished):
        raise InputError(
            f"{facts.path.name} line {last.row + 1} is half written: the file ends in {unfinished[-100:]!r}, without "
            "all columns and without a line end. Wait until the export is complete and drop the file again."
        )


def _prepare_csv(connection: duckdb.DuckDBPyConnection, facts: FileFacts, mapping: Mapping) -> list[str]:
    columns, delimiter = read_csv_header(facts, mapping)
    connection.execute("SET VARIABLE columns = ?", [dict.fromkeys(columns, "VARCHAR")])
    connection.execute("SET VARIABLE delimiter = ?", [delimiter])
    return columns


def read_csv_header(facts: FileFacts, mapping: Mapping) -> tuple[list[str], str]:
    """The column names and the delimiter of a CSV file.

    Raises:
        InputError: the text is not in the declared encoding, a name occurs twice, or nothing follows the header.
    """
    head = _first_text(facts, mapping.source.encoding).removeprefix("\ufeff")
    line = head.partition("\n")[0]
    usual = "\t" if ".tsv" in facts.path.suffixes else max(DELIMITERS, key=_outside_quotes(line).count)
    delimiter = mapping.source.delimiter or usual
    names = next(csv.reader(head.splitlines(keepends=True), delimiter=delimiter), [])
    columns = [name.strip() or f"column{number}" for number, name in enumerate(names, start=1)]
    seen: set[str] = set()
    for column in columns:
        if column.casefold() in seen:
            raise InputError(f"{facts.path.name} line 1: the column '{column}' occurs twice. Rename one of them.")
        seen.add(column.casefold())
    return columns, delimiter


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _first_text(facts: FileFacts, encoding: str) -> str:
    first = next(blocks(facts.path, facts.compression))
    try:
        return codecs.getincrementaldecoder(encoding)().decode(first[:TEXT_SAMPLE])
    except UnicodeDecodeError as error:
        raise InputError(
            f"{facts.path.name} line {first.count(bytes([10]), 0, error.start) + 1} is not {encoding} text: byte "
            f'0x{first[error.start]:02x} at position {error.start}. Declare encoding = "latin-1" or "utf-16" under '
            "[source] in the mapping, or export the file as UTF-8."
        ) from error


def _prepare_jsonl(connection: duckdb.DuckDBPyConnection, facts: FileFacts, wanted: MappingType[str, str]) -> list[str]:
    connection.execute("SET VARIABLE pointers = ?", [[""]])
    connection.execute(f"CREATE TEMP VIEW lines AS {(SQL / 'jsonl_records.sql').read_text('utf-8')}")
    keys = _json_keys(connection, KEYS_SAMPLED)
    missing = [column for column in wanted if column not in keys]
    if missing:
        keys = _json_keys(connection, None)
    columns = [find_column(column, key, keys, facts.path.name) for column, key in wanted.items()]
    pointers = ["/" + column.replace("~", "~0").replace("/", "~1") for column in columns]
    connection.execute("SET VARIABLE pointers = ?", [pointers])
    return columns


def _json_keys(connection: duckdb.DuckDBPyConnection, limit: int | None) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT unnest(json_keys(line)) FROM (SELECT line FROM lines WHERE is_object LIMIT ?) ORDER BY 1",
        [limit if limit is not None else 2**62],
    ).fetchall()
    return [key for (key,) in rows]


def _create_source_records(
    connection: duckdb.DuckDBPyConnection, facts: FileFacts, columns: list[str], malformed: list[Malformed]
) -> None:
    source = "records"
    if malformed:
        _create_skipped(connection, [record.row for record in malformed])
        source = "renumbered"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW renumbered AS {(SQL / 'renumbered.sql').read_text('utf-8')}")
    if facts.kind == "jsonl":
        values = [f"fields[{position}] AS {quoted(column)}" for position, column in enumerate(columns, start=1)]
        record = "CASE WHEN is_object THEN CAST(line AS JSON) ELSE to_json(line) END"
        broken = "CASE WHEN NOT is_object THEN line END"
    else:
        values = [quoted(column) for column in columns]
        record = "{" + ", ".join(f"{literal(column)}: {quoted(column)}" for column in columns) + "}"
        broken = "CAST(NULL AS VARCHAR)"
    selected = f"__row, {record} AS __record, {broken} AS __broken, {', '.join(values)}"
    query = f"SELECT {selected} FROM {source}"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW source_records AS {query}")


def _create_skipped(connection: duckdb.DuckDBPyConnection, rows: list[int]) -> None:
    """For each malformed record, from which well-formed one on the numbers move, and by how many."""
    moves = {row - position + 1: position for position, row in enumerate(sorted(rows), start=1)}
    connection.execute("CREATE OR REPLACE TEMP TABLE skipped (from_row BIGINT, rejected BIGINT)")
    connection.execute(
        "INSERT INTO skipped SELECT unnest(?::BIGINT[]), unnest(?::BIGINT[])", [[*moves], [*moves.values()]]
    )
