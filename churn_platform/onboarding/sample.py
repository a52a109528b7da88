"""The first records of a user's files, as text, file by file and sheet by sheet."""

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import duckdb
import polars as pl

from churn_platform.errors import InputError
from churn_platform.lake.expressions import quoted
from churn_platform.lake.mapping import Mapping
from churn_platform.lake.records import create_records_view
from churn_platform.lake.source_file import FileFacts, Kind, blocks, examine, in_utf8
from churn_platform.lake.workbook import sheet_names
from churn_platform.onboarding.scratch import scratch_connection

RECORDS: Final = 100_000
DEEPEST: Final = 20  # objects inside each other; what lies deeper is no column
NO_COLUMNS: Final = Mapping.model_validate(
    {"source": {"name": "unknown"}, "columns": {"user_id": "''", "event_time": "''", "event_type": "''"}}
)
SCALARS: Final = re.compile(r"(STRUCT|MAP|UNION|.*\[\d*\]$|BLOB|BIT|GEOMETRY)")


@dataclass(frozen=True)
class Sample:
    """Files of one shape, and their first records.

    Attributes:
        frame: text columns in the files' order, null where blank; one row per record, in the order of files and rows.
        types: DuckDB type by column of typed files (Parquet), else VARCHAR.
        sheet: the workbook's sheet, where it is not the first.
        unnest: the array of a JSON object whose elements are the records.
    """

    files: tuple[Path, ...]
    kind: Kind
    frame: pl.DataFrame
    types: MappingType[str, str]
    sheet: str | None = None
    unnest: str | None = None


def read_samples(files: Sequence[Path], limit: int = RECORDS) -> list[Sample]:
    """The files grouped by their columns, with up to `limit` records of all, as many of each file.

    Raises:
        InputError: a file cannot be read, has no rows, or its first line looks like data and not like column names.
    """
    groups: dict[tuple[str, ...], list[Sample]] = {}
    for file in files:
        read = _read(file, max(1, limit // len(files)))
        key = ("json",) if read.kind == "jsonl" else tuple(sorted(read.frame.columns))
        groups.setdefault(key, []).append(read)
    return [_together(group) for group in groups.values()]


def _together(group: Sequence[Sample]) -> Sample:
    first = group[0]
    frame = pl.concat([sample.frame for sample in group], how="diagonal")
    files = tuple(file for sample in group for file in sample.files)
    return Sample(files, first.kind, frame, first.types, first.sheet, first.unnest)


def _read(file: Path, limit: int) -> Sample:
    with tempfile.TemporaryDirectory(prefix="churn-init-") as folder:
        facts = in_utf8(examine(file), Path(folder))
        if facts.kind == "jsonl":
            return _read_json(facts, limit)
        if facts.kind == "xlsx":
            return _read_workbook(facts, limit)
        return _read_table(facts, limit)


def _read_workbook(facts: FileFacts, limit: int) -> Sample:
    """The sheet with the most cells; of a workbook the lake reads the first sheet unless another is named."""
    names, found, refusals = sheet_names(facts.path), {}, []
    for name in names:
        try:
            found[name] = _read_table(facts, limit, name)
        except InputError as error:
            refusals.append(str(error))
    if not found:
        raise InputError(refusals[0] if refusals else f"{facts.path.name} holds no sheet.")
    return max(found.values(), key=lambda sample: sample.frame.height * sample.frame.width)


def _read_table(facts: FileFacts, limit: int, sheet: str | None = None) -> Sample:
    mapping = NO_COLUMNS.model_copy(update={"source": NO_COLUMNS.source.model_copy(update={"sheet": sheet})})
    with scratch_connection() as connection:
        try:
            create_records_view(connection, facts, mapping)
            described = connection.execute("DESCRIBE source_records").fetchall()
            types = {name: kind for name, kind, *_ in described if not name.startswith("__")}
            scalars = [name for name, kind in types.items() if not SCALARS.match(kind)]
            texts = ", ".join(
                f"nullif(trim(CAST({quoted(name)} AS VARCHAR)), '') AS {quoted(name)}" for name in scalars
            )
            frame = connection.sql(f"SELECT {texts} FROM source_records LIMIT {int(limit)}").pl()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{facts.path.name} cannot be read as {facts.kind}: {reason} Export it again.") from error
    if frame.is_empty():
        raise InputError(f"{facts.path.name} has a header but no rows. Expected at least one. Export it again.")
    if facts.kind == "csv":
        _check_header(facts.path.name, frame.columns)
    first = facts.kind != "xlsx" or sheet == sheet_names(facts.path)[0]
    return Sample((facts.path,), facts.kind, frame, {name: types[name] for name in scalars}, None if first else sheet)


def _check_header(file: str, names: Sequence[str]) -> None:
    data = [name for name in names if re.fullmatch(r"[-+]?[\d.,:/ TZ-]*\d[\d.,:/ TZ-]*", name)]
    if len(data) * 2 >= len(names):
        raise InputError(
            f"{file} line 1 holds {', '.join(map(repr, data[:3]))}, which are values and not column names. Expected a "
            "first line that names the columns. Add one to the file, such as customer,date,amount."
        )


def _read_json(facts: FileFacts, limit: int) -> Sample:
    rows, unnest = _json_rows(facts, limit)
    if not rows:
        raise InputError(
            f"{facts.path.name} line 1 is not a JSON object. Expected JSON Lines: one object a line, such as "
            '{"customer": "7", "at": "2024-03-01T10:00:00Z"}. Export it again.'
        )
    columns = dict.fromkeys(name for row in rows for name in row)
    if not columns:
        raise InputError(f"{facts.path.name}: its objects have no fields. Expected a customer and a time at least.")
    frame = pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in columns}, schema=dict.fromkeys(columns, pl.String)
    )
    return Sample((facts.path,), "jsonl", frame, dict.fromkeys(columns, "VARCHAR"), None, unnest)


def _json_rows(facts: FileFacts, limit: int) -> tuple[list[dict[str, str | None]], str | None]:
    """Up to `limit` records as text, and the first array of objects, each of whose elements is a record."""
    rows: list[dict[str, str | None]] = []
    unnest = None
    for record in _json_objects(facts):
        unnest = unnest or next((name for name, value in record.items() if _is_array_of_objects(value)), None)
        rows += map(_flat, islice(_elements(record, unnest), limit - len(rows)))
        if len(rows) >= limit:
            break
    return rows, unnest


def _json_objects(facts: FileFacts) -> Iterator[dict[str, object]]:
    for line in islice(_lines(facts), RECORDS):
        try:
            record = json.loads(line, parse_int=str)  # Python reads no number of more than 4,300 digits
            json.dumps(record, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except (json.JSONDecodeError, UnicodeEncodeError, RecursionError):
            continue  # the lake quarantines it, and the trial counts it
        if isinstance(record, dict):
            yield record


def _is_array_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(element, dict) for element in value)


def _lines(facts: FileFacts) -> Iterator[str]:
    rest = b""
    for block in blocks(facts.readable, facts.compression):
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").removeprefix("\ufeff")
    yield rest.decode(errors="replace")


def _elements(record: dict[str, object], unnest: str | None) -> Iterator[dict[str, object]]:
    """One record per element of the array, the outer fields beside it; the record itself where there is none."""
    elements = record.get(unnest) if unnest else None
    if not isinstance(elements, list) or not elements:
        return iter([record])
    return (record | {str(unnest): element} for element in elements)


def _flat(record: MappingType[str, object], prefix: str = "", depth: int = 0) -> dict[str, str | None]:
    """Fields of nested objects under dotted names; left out are arrays, what lies too deep, and names with a NUL."""
    flat: dict[str, str | None] = {}
    for name, value in record.items():
        if "\0" in name or isinstance(value, list):
            continue
        if not isinstance(value, dict):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            flat[f"{prefix}{name}"] = None if value is None else text.strip() or None
        elif depth < DEEPEST:
            flat |= _flat(value, f"{prefix}{name}.", depth + 1)
    return flat
