"""The lines of one file joined to the headers of others that have landed. See `[join]` of the mapping."""

import glob
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from pathlib import Path

import duckdb

from churn_platform.errors import InputError
from churn_platform.lake.canonical import column_types
from churn_platform.lake.expressions import find_column, quoted, same_column
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import Join, Mapping
from churn_platform.lake.texts import identifier
from churn_platform.settings import Home


@dataclass(frozen=True)
class KnownHeaders:
    """The header files that have landed, oldest first: each Parquet file with its name; and all their columns."""

    files: dict[Path, str]
    columns: list[str]


def known_headers(home: Home, mapping: Mapping, file: str) -> KnownHeaders | None:
    """What the lines of a file can be joined to; None if the mapping joins nothing.

    Raises:
        InputError: the mapping joins, and no header file has landed.
    """
    if mapping.join is None:
        return None
    landed = Ledger(home).headers()
    if not landed:
        raise InputError(
            f"{file}: no header file has landed, and [join] in the mapping takes columns from files like "
            f"'{mapping.join.files}'. Name or drop such a file before this one or together with it."
        )
    columns = dict.fromkeys(column for headers in landed.values() for column in headers.columns)
    files = {headers_path(home, fingerprint): headers.file for fingerprint, headers in landed.items()}
    return KnownHeaders(files, [*columns])


def headers_path(home: Home, fingerprint: str) -> Path:
    """Where the headers of one file lie."""
    return home.headers / f"{fingerprint}.parquet"


def key_names(join: Join) -> list[str]:
    """The columns that hold the key of a line or a header while they are joined."""
    return [f"__key_{number}" for number in range(1, len(join.on) + 1)]


def key_of_header(join: Join, types: MappingType[str, str], file: str) -> list[str]:
    """The key of a header as SQL over its columns, one expression a column that `on` names.

    Raises:
        InputError: the file lacks one of them.
    """
    columns = [find_column(theirs, f"join.on.{ours}", [*types], file) for ours, theirs in join.on.items()]
    return [identifier(quoted(column), types[column]) for column in columns]


def join_headers(connection: duckdb.DuckDBPyConnection, join: Join, known: KnownHeaders, file: str) -> None:
    """Complete `source_records` with the columns of the headers; of several headers of a key the latest file's counts.

    The file's own column wins where both have one of a name. A record without its header is broken: 'no header'.

    Raises:
        InputError: the file or a header file lacks a column of the key, or a key stands twice in a header file.
    """
    connection.execute("ALTER VIEW source_records RENAME TO own_records")
    own = column_types(connection, "own_records")
    keys = key_names(join)
    given = []
    for key, name in zip(keys, join.on, strict=True):
        column = find_column(name, f"join.on.{name}", [*own], file)
        given.append(f"{identifier(quoted(column), own[column])} AS {key}")
    connection.execute(f"CREATE TEMP VIEW keyed_records AS SELECT *, {', '.join(given)} FROM own_records")
    names = ", ".join(keys)
    _create_needed(connection, join, known, names)
    added = [name for name in column_types(connection, "headers") if same_column(name, [*own]) is None]
    no_header = f"'no header' || chr(31) || concat_ws(', ', {names})"
    broken = f"CASE WHEN __broken IS NULL AND __found IS NULL THEN {no_header} ELSE __broken END AS __broken"
    selected = [f"keyed_records.* EXCLUDE ({names}) REPLACE ({broken})", *(f"headers.{quoted(name)}" for name in added)]
    connection.execute(
        f"CREATE TEMP VIEW source_records AS SELECT {', '.join(selected)} FROM keyed_records "
        f"LEFT JOIN headers USING ({names})"
    )


def _create_needed(connection: duckdb.DuckDBPyConnection, join: Join, known: KnownHeaders, names: str) -> None:
    """Create `headers`: the newest header of each key that the file needs, by its key as the mapping declares it now.

    Only these: a daily delivery does not sort the headers of all years.
    """
    alike: dict[tuple[str, ...], list[str]] = {}
    for path, file in known.files.items():
        escaped = glob.escape(str(path))
        connection.execute("SET VARIABLE header = ?", [escaped])
        connection.execute("CREATE OR REPLACE TEMP VIEW header AS FROM read_parquet(getvariable('header'))")
        alike.setdefault(tuple(key_of_header(join, column_types(connection, "header"), file)), []).append(escaped)
    queries = []
    for number, (key, paths) in enumerate(alike.items()):
        connection.execute(f"SET VARIABLE headers_{number} = ?", [paths])
        named = ", ".join(f"{value} AS {name}" for value, name in zip(key, key_names(join), strict=True))
        queries.append(
            f"SELECT COLUMNS(lambda name: NOT starts_with(name, '__')), __file, {named} FROM "
            f"read_parquet(getvariable('headers_{number}'), union_by_name = true, filename = '__file')"
        )
    connection.execute("SET VARIABLE headers = ?", [[str(path) for path in known.files]])
    connection.execute(
        f"CREATE TEMP TABLE needed AS FROM ({' UNION ALL BY NAME '.join(queries)}) "
        f"WHERE ({names}) IN (SELECT ({names}) FROM keyed_records)"
    )
    refuse_twice(connection, "needed", join, {str(path): file for path, file in known.files.items()})
    connection.execute(
        "CREATE TEMP TABLE headers AS SELECT *, true AS __found FROM needed QUALIFY row_number() OVER "
        f"(PARTITION BY {names} ORDER BY list_position(getvariable('headers'), __file) DESC) = 1"
    )


def refuse_twice(connection: duckdb.DuckDBPyConnection, headers: str, join: Join, files: MappingType[str, str]) -> None:
    """Check that no key of a view with `__file` and the key stands twice in a file; `files` has their names.

    Raises:
        InputError: one does.
    """
    names = ", ".join(key_names(join))
    twice = connection.execute(
        f"SELECT __file, {names}, count(*) FROM {headers} GROUP BY __file, {names} HAVING count(*) > 1 "
        "ORDER BY ALL LIMIT 1"
    ).fetchone()
    if twice is not None:
        path, *values, count = twice
        key = ", ".join(f"{name} = '{value}'" for name, value in zip(join.on.values(), values, strict=True))
        raise InputError(
            f"{files[path]}: {key} stands in {count} rows. Expected one row a key in a file that [join] names. If "
            "these rows are lines, correct files under [join] in the mapping; else correct on, or export each header "
            "once."
        )
