"""From a file's own columns to the canonical event: the views `expressed`, `mapped`, `judged`, `typed`, `canonical`."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import duckdb
from sqlglot import exp

from churn_platform.errors import InputError
from churn_platform.lake.expressions import BoundExpression, bind_expression, literal, parse_expression, quoted
from churn_platform.lake.ledger import Mode
from churn_platform.lake.mapping import EPOCH_FORMATS, EXCEL_SERIAL, MAPPABLE, Mapping
from churn_platform.lake.texts import as_text, identifier, trimmed
from churn_platform.lake.value_maps import translated
from churn_platform.settings import shop_day

SQL = Path(__file__).with_name("sql")

CANONICAL_TYPES = {
    "event_id": "VARCHAR", "user_id": "VARCHAR", "event_time": "TIMESTAMP", "known_at": "TIMESTAMP",
    "event_type": "VARCHAR", "item_id": "VARCHAR", "category": "VARCHAR", "quantity": "DECIMAL(18,4)",
    "unit_price": "DECIMAL(18,4)", "amount": "DECIMAL(18,4)", "currency": "VARCHAR", "order_id": "VARCHAR",
    "session_id": "VARCHAR", "channel": "VARCHAR", "text": "VARCHAR", "properties": "VARCHAR", "source": "VARCHAR",
    "source_file": "VARCHAR", "source_row": "BIGINT",
}  # fmt: skip
NUMBERS = ("quantity", "unit_price", "amount")
IDENTIFIERS = ("event_id", "user_id", "item_id", "order_id", "session_id")
NEEDED_KEYS = ("columns.user_id", "columns.event_time", "columns.event_type", "event_type[", "join.on.")
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)  # before any shop's records: an empty or reset clock
# An event later than its file's arrival plus this would drag the watermark into the future.
CLOCK_SKEW = timedelta(days=1)


def create_canonical_view(
    connection: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    *,
    file: str,
    mode: Mode,
    timezone: str,
    arrived_at: datetime,
    kept: Sequence[str] = (),
) -> None:
    """Create the temp view `canonical` over `source_records`: one row per record, rejected ones without `known_date`.

    Args:
        file: the file's name, as it stands in `source_file` and in errors.
        timezone: the shop's zone; its days are the arrival days.
        arrived_at: with offset; `known_at` of a live file's rows.
        kept: columns of `source_records` to keep in `properties` beside what the mapping puts there.

    Raises:
        InputError: an expression names a column that the file lacks, or does not fit the columns' types.
    """
    variables = {"source_file": file, "source_zone": mapping.source.timezone, "shop_zone": timezone}
    for name, value in variables.items():
        connection.execute(f"SET VARIABLE {name} = ?", [value])
    _set_source(connection, mapping)
    _set_arrival(connection, mode, timezone, arrived_at)
    types = column_types(connection, "source_records")
    _create_expressed(connection, mapping, types, file, kept)
    raw = column_types(connection, "expressed")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW mapped AS {_mapped_sql(mapping, raw, timezone)}")
    for view in ("judged", "typed", "canonical"):
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {(SQL / f'{view}.sql').read_text('utf-8')}")


def referenced_columns(mapping: Mapping) -> dict[str, str]:
    """Every column that the mapping names, with the first key that names it."""
    found: dict[str, str] = {}
    for key, name in _named(mapping):
        found.setdefault(name, key)
    return found


def required_columns(mapping: Mapping) -> set[str]:
    """The columns without which no row can be an event: those of user, time and type, and the keys of a join."""
    return {name for key, name in _named(mapping) if key.startswith(NEEDED_KEYS)}


def _named(mapping: Mapping) -> Iterator[tuple[str, str]]:
    """Each mapping key with each column that it names."""
    for key, text in mapping.expressions().items():
        yield from ((key, column.name) for column in parse_expression(text, key).find_all(exp.Column))
    yield from ((f"join.on.{name}", name) for name in (mapping.join.on if mapping.join else ()))


def time_format_of(mapping: Mapping) -> str:
    """The expected form of event times, for a person."""
    return mapping.source.time_format or "ISO 8601 such as 2024-03-01T09:30:00"


def _set_source(connection: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    connection.execute("SET VARIABLE source_name = ?", [mapping.source.name])
    connection.execute("SET VARIABLE time_format = ?", [mapping.source.time_format])
    connection.execute("SET TimeZone = ?", [mapping.source.timezone])


def _set_arrival(connection: duckdb.DuckDBPyConnection, mode: Mode, timezone: str, arrived_at: datetime) -> None:
    arrived = arrived_at.astimezone(UTC).replace(tzinfo=None)
    day = shop_day(arrived_at, timezone)
    live = mode == "live"
    connection.execute("SET VARIABLE earliest = ?", [EARLIEST.replace(tzinfo=None)])
    connection.execute("SET VARIABLE latest = ?", [arrived + CLOCK_SKEW])
    connection.execute("SET VARIABLE arrived_at = CAST(? AS TIMESTAMP)", [arrived if live else None])
    connection.execute("SET VARIABLE arrival_day = CAST(? AS DATE)", [day if live else None])


def _create_expressed(
    connection: duckdb.DuckDBPyConnection, mapping: Mapping, types: dict[str, str], file: str, kept: Sequence[str]
) -> None:
    bound = {}
    for key, text in mapping.expressions().items():
        bound[key] = bind_expression(parse_expression(text, key), key, types, file)
    selected = ["__row", "__element AS element", "__record AS record", "__broken AS broken"]
    selected += [_checked(connection, key, text, file) for key, text in bound.items() if key.startswith("columns.")]
    if mapping.event_type:
        selected.append(f"{_type_rules(connection, mapping, bound, file)} AS event_type")
    if mapping.properties:
        pairs = [f"{literal(name)}, {bound[f'properties.{name}'].sql}" for name in mapping.properties]
        for name in mapping.properties:
            _checked(connection, f"properties.{name}", bound[f"properties.{name}"], file)
        selected.append(f"json_object({', '.join(pairs)}) AS properties")
    selected.append(f"{_bad_number(bound)} AS bad_number")
    selected.append(f"{_as_json(kept)} AS kept")
    query = f"SELECT {', '.join(selected)} FROM source_records"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW expressed AS {query}")


def _as_json(columns: Sequence[str]) -> str:
    """A JSON object of columns, without those that are NULL; NULL if none is left."""
    if not columns:
        return "CAST(NULL AS VARCHAR)"
    pairs = ", ".join(f"{literal(column)}, {quoted(column)}" for column in columns)
    return f"nullif(CAST(json_merge_patch('{{}}', json_object({pairs})) AS VARCHAR), '{{}}')"


def _checked(connection: duckdb.DuckDBPyConnection, key: str, bound: BoundExpression, file: str) -> str:
    try:
        connection.execute(f"DESCRIBE SELECT {bound.sql} FROM source_records")
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"Mapping key {key}: the expression does not fit the columns of {file} ({reason}).") from error
    return f"{bound.sql} AS {quoted(key.removeprefix('columns.'))}"


def _type_rules(
    connection: duckdb.DuckDBPyConnection, mapping: Mapping, bound: dict[str, BoundExpression], file: str
) -> str:
    branches = []
    for number, rule in enumerate(mapping.event_type, start=1):
        key = f"event_type[{number}].when"
        condition = "true"
        if rule.when is not None:
            _checked(connection, key, BoundExpression(f"CASE WHEN {bound[key].sql} THEN 1 END"), file)
            condition = bound[key].sql
        branches.append(f"WHEN {condition} THEN {literal(rule.then)}")
    return f"CASE {' '.join(branches)} END"


def _bad_number(bound: dict[str, BoundExpression]) -> str:
    columns = sorted({column for expression in bound.values() for column in expression.number_columns})
    checks = [
        f"WHEN trim({quoted(column)}) <> '' AND as_double({quoted(column)}) IS NULL THEN {quoted(column)}"
        for column in columns
    ]
    return f"CASE {' '.join(checks)} END" if checks else "CAST(NULL AS VARCHAR)"


def _mapped_sql(mapping: Mapping, raw: dict[str, str], timezone: str) -> str:
    selected = ["__row", "element", "kept", "record", "broken", "bad_number"]
    for column in MAPPABLE:
        if column == "event_time":
            selected += _time_columns(mapping, raw[column], timezone)
        elif column in NUMBERS:
            selected += _number_columns(column, raw.get(column))
        elif column == "properties":
            selected += _property_columns(raw.get(column))
        else:
            text = _text(column, raw.get(column))
            if column in mapping.values:
                text = translated(text, mapping.values[column], f"trim({text})" if column == "text" else text)
            selected.append(f"{text} AS {quoted(column)}")
    return f"SELECT {', '.join(selected)} FROM expressed"


def _text(column: str, raw_type: str | None) -> str:
    if raw_type is None:
        return "CAST(NULL AS VARCHAR)"
    if column == "text":
        return f"nullif({as_text(quoted(column), raw_type)}, '')"
    return identifier(quoted(column), raw_type) if column in IDENTIFIERS else trimmed(quoted(column), raw_type)


def _number_columns(column: str, raw_type: str | None) -> list[str]:
    value, text = "NULL", "NULL"
    if raw_type is not None:
        value = f"nullif({column}, CAST('NaN' AS {raw_type}))" if raw_type in ("DOUBLE", "FLOAT") else column
        if raw_type == "VARCHAR":
            text = f"nullif(trim({column}), '')"
            return [f"as_decimal({text}) AS {column}", f"{text} AS {column}_text"]
        text = f"CAST({value} AS VARCHAR)"
    return [f"TRY_CAST({value} AS DECIMAL(18, 4)) AS {column}", f"CAST({text} AS VARCHAR) AS {column}_text"]


def _property_columns(raw_type: str | None) -> list[str]:
    if raw_type is None:
        return ["CAST(NULL AS VARCHAR) AS properties", "CAST(NULL AS VARCHAR) AS bad_properties"]
    if raw_type == "VARCHAR":
        text = "nullif(trim(properties), '')"
        return [f"{text} AS properties", f"CASE WHEN NOT json_valid({text}) THEN properties END AS bad_properties"]
    return ["CAST(to_json(properties) AS VARCHAR) AS properties", "CAST(NULL AS VARCHAR) AS bad_properties"]


def _time_columns(mapping: Mapping, raw_type: str, timezone: str) -> list[str]:
    """`event_time` (UTC), `event_day` (shop-local), `event_time_given`; no zone conversion where it changes nothing."""
    zone, kind, value = mapping.source.timezone, *_time(mapping, raw_type)
    if kind == "local" and zone != "UTC":
        instant = f"timezone(getvariable('source_zone'), {value})"
    else:
        instant = value if kind == "instant" else f"timezone('UTC', {value})"
    utc = value
    if kind == "instant" or (kind == "local" and zone != "UTC"):
        utc = f"CASE WHEN isfinite({instant}) THEN make_timestamp(epoch_us({instant})) END"
    if kind == "local" and zone == timezone:
        day = f"CAST({value} AS DATE)"
    elif timezone == "UTC":
        day = f"CAST({utc} AS DATE)"
    else:
        day = f"CAST(timezone(getvariable('shop_zone'), {instant}) AS DATE)"
    return [f"{utc} AS event_time", f"{day} AS event_day", "event_time AS event_time_given"]


def _time(mapping: Mapping, raw_type: str) -> tuple[Literal["utc", "instant", "local"], str]:
    """The event time as a TIMESTAMP in UTC, a TIMESTAMP WITH TIME ZONE, or a TIMESTAMP in the source's zone."""
    time_format = mapping.source.time_format
    if time_format in EPOCH_FORMATS:
        factor = 1_000_000 if time_format == "epoch_s" else 1_000
        return "utc", f"TRY(make_timestamp(CAST(TRY_CAST(event_time AS DOUBLE) * {factor} AS BIGINT)))"
    if time_format == EXCEL_SERIAL:
        milliseconds = "CAST(round(TRY_CAST(event_time AS DOUBLE) * 86400000) AS BIGINT)"
        origin = "coalesce(CAST(getvariable('excel_epoch') AS TIMESTAMP), TIMESTAMP '1899-12-30')"
        return "local", f"TRY({origin} + to_milliseconds({milliseconds}))"
    if raw_type == "VARCHAR" and time_format is None:
        return "instant", "TRY_CAST(event_time AS TIMESTAMPTZ)"
    if raw_type == "VARCHAR":
        parsed = "try_strptime(event_time, getvariable('time_format'))"
        return ("instant", parsed) if time_format and "%z" in time_format else ("local", parsed)
    if raw_type == "TIMESTAMP WITH TIME ZONE":
        return "instant", "event_time"
    if raw_type.startswith("TIMESTAMP") or raw_type == "DATE":
        return "local", "CAST(event_time AS TIMESTAMP)"
    raise InputError(
        f"Mapping key columns.event_time: the file holds {raw_type}, which is not a time. Expected a timestamp, a date "
        'or text; for seconds or milliseconds since 1970 write time_format = "epoch_s" or "epoch_ms" under [source].'
    )


def column_types(connection: duckdb.DuckDBPyConnection, view: str) -> dict[str, str]:
    """The columns of a view with their types; those of ours, which begin with two underscores, left out."""
    rows = connection.execute(f"DESCRIBE {quoted(view)}").fetchall()
    return {name: column_type for name, column_type, *_ in rows if not name.startswith("__")}
