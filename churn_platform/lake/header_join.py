"""The lines of one file joined to the headers of others that have landed. See `[join]` of the mapping."""

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
    """The header files that have landed, oldest first: their Parquet files, and all their columns."""

    paths: list[Path]
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
    return KnownHeaders([headers_path(home, fingerprint) for fingerprint in landed], [*columns])


def headers_path(home: Home, fingerprint: str) -> Path:
    """Where the headers of one file lie."""
    return home.headers / f"{fingerprint}.parquet"


def key_names(join: Join) -> list[str]:
    """The columns of the kept headers that hold their key."""
    return [f"__key_{number}" for number in range(1, len(join.on) + 1)]


def join_headers(connection: duckdb.DuckDBPyConnection, join: Join, known: KnownHeaders, file: str) -> None:
    """Complete `source_records` with the columns of the headers; of several headers of a key the latest file's counts.

    The file's own column wins where both have one of a name. A record without its header is broken: 'no header'.
    """
    connection.execute("ALTER VIEW source_records RENAME TO own_records")
    own = column_types(connection, "own_records")
    keys = key_names(join)
    given = []
    for key, name in zip(keys, join.on, strict=True):
        column = find_column(name, f"join.on.{name}", [*own], file)
        given.append(f"{identifier(quoted(column), own[column])} AS {key}")
    connection.execute(f"CREATE TEMP VIEW keyed_records AS SELECT *, {', '.join(given)} FROM own_records")
    connection.execute("SET VARIABLE headers = ?", [[str(path) for path in known.paths]])
    names = ", ".join(keys)
    # only the headers that this file needs: a daily delivery does not sort the headers of all years
    connection.execute(
        "CREATE TEMP TABLE headers AS SELECT *, true AS __found "
        "FROM read_parquet(getvariable('headers'), union_by_name = true, filename = '__file') "
        f"WHERE ({names}) IN (SELECT ({names}) FROM keyed_records) QUALIFY row_number() OVER "
        f"(PARTITION BY {names} ORDER BY list_position(getvariable('headers'), __file) DESC) = 1"
    )
    added = [name for name in column_types(connection, "headers") if same_column(name, [*own]) is None]
    no_header = f"'no header' || chr(31) || concat_ws(', ', {names})"
    broken = f"CASE WHEN __broken IS NULL AND __found IS NULL THEN {no_header} ELSE __broken END AS __broken"
    selected = [f"keyed_records.* EXCLUDE ({names}) REPLACE ({broken})", *(f"headers.{quoted(name)}" for name in added)]
    connection.execute(
        f"CREATE TEMP VIEW source_records AS SELECT {', '.join(selected)} FROM keyed_records "
        f"LEFT JOIN headers USING ({names})"
    )
