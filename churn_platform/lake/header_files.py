"""Files of headers: no events, but columns for the lines of other files, kept in the lake. See `[join]`."""

import glob
import tempfile
from pathlib import Path

import duckdb

from churn_platform.errors import InputError
from churn_platform.lake.canonical import SQL, column_types
from churn_platform.lake.expressions import literal, quoted
from churn_platform.lake.header_join import headers_path, key_names, key_of_header, refuse_twice
from churn_platform.lake.ledger import Headers
from churn_platform.lake.mapping import Join, Mapping
from churn_platform.lake.reading import reading
from churn_platform.lake.records import Malformed, check_whole, create_headers_view, malformed_records
from churn_platform.lake.source_file import FileFacts, in_utf8
from churn_platform.lake.staging import move_durably, quarantine_path, write_rejected
from churn_platform.settings import Home


def keep_headers(facts: FileFacts, mapping: Mapping, join: Join, home: Home, memory_limit: str) -> Headers:
    """Keep the rows of a header file in the lake; rows without a key go to quarantine.

    They count once the caller has committed what is returned to the ledger; a kill before leaves nothing that counts.

    Raises:
        InputError: a key occurs twice, a key column is missing, or too large a share of rows is rejected.
    """
    home.lake.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".headers-", dir=home.lake) as scratch:
        folder = Path(scratch)
        facts = in_utf8(facts, folder)
        malformed = _write(facts, mapping, join, folder, [], memory_limit)
        if malformed:
            _write(facts, mapping, join, folder, malformed, memory_limit)
        with reading(facts, folder / "spill", memory_limit) as connection:
            headers = _summary(connection, facts, mapping, folder)
            _check(connection, facts.path.name, mapping, join, headers)
        move_durably(folder / "headers.parquet", headers_path(home, facts.fingerprint))
        if headers.quarantined:
            move_durably(folder / "quarantine.parquet", quarantine_path(home, facts.fingerprint))
    return headers


def _write(
    facts: FileFacts, mapping: Mapping, join: Join, folder: Path, malformed: list[Malformed], memory_limit: str
) -> list[Malformed]:
    """Write `headers.parquet` and `quarantine.parquet`; give the records that could not be parsed at all."""
    with reading(facts, folder / "spill", memory_limit) as connection:
        create_headers_view(connection, facts, mapping, malformed)
        columns = [quoted(column) for column in column_types(connection, "source_records")]
        _create_keyed(connection, join, facts.path.name)
        kept = f"SELECT {', '.join(columns)} FROM keyed WHERE __rejection IS NULL"
        connection.execute("SET VARIABLE target = ?", [str(folder / "headers.parquet")])
        connection.execute(f"COPY ({kept}) TO (getvariable('target')) (FORMAT parquet)")
        connection.execute("SET VARIABLE source_file = ?", [facts.path.name])
        connection.execute(f"CREATE TEMP TABLE rejected AS {(SQL / 'rejected_headers.sql').read_text('utf-8')}")
        found = malformed_records(connection, facts)
        check_whole(facts, found)
        write_rejected(connection, folder, facts.path.name, malformed)
    return found


def _create_keyed(connection: duckdb.DuckDBPyConnection, join: Join, file: str) -> None:
    keys = key_of_header(join, column_types(connection, "source_records"), file)
    missing = " OR ".join(f"{key} IS NULL" for key in keys)
    without = literal(f"missing {' or '.join(join.on.values())}")
    reason = f"CASE WHEN {missing} THEN {without} END"
    connection.execute(
        f"CREATE TEMP VIEW keyed AS SELECT *, coalesce(__broken, {reason}) AS __rejection FROM source_records"
    )


def _summary(connection: duckdb.DuckDBPyConnection, facts: FileFacts, mapping: Mapping, folder: Path) -> Headers:
    connection.execute("SET VARIABLE kept = ?", [glob.escape(str(folder / "headers.parquet"))])
    connection.execute("SET VARIABLE quarantine = ?", [glob.escape(str(folder / "quarantine.parquet"))])
    connection.execute("CREATE TEMP VIEW kept AS FROM read_parquet(getvariable('kept'))")
    counted = connection.execute(
        "SELECT reason, count(*) FROM read_parquet(getvariable('quarantine')) GROUP BY 1 ORDER BY 1"
    ).fetchall()
    ((rows,),) = connection.execute("SELECT count(*) FROM kept").fetchall()
    return Headers(
        fingerprint=facts.fingerprint,
        file=facts.path.name,
        source=mapping.source.name,
        rows=int(rows),
        quarantined=sum(count for _, count in counted),
        reasons=dict(counted),
        columns=[*column_types(connection, "kept")],
        mapping_hash=mapping.hash,
    )


def _check(connection: duckdb.DuckDBPyConnection, file: str, mapping: Mapping, join: Join, headers: Headers) -> None:
    total, limit = headers.rows + headers.quarantined, mapping.source.max_rejected_share
    if headers.rows == 0 or headers.quarantined > limit * total:
        counts = ", ".join(f"{reason}: {count}" for reason, count in headers.reasons.items()) or "it holds none"
        raise InputError(
            f"{file}: {headers.quarantined} of {total} rows cannot be headers ({counts}), more than "
            f"max_rejected_share = {limit} allows, so none of them is kept. Export the file again."
        )
    keys = key_of_header(join, column_types(connection, "kept"), file)
    named = ", ".join(f"{key} AS {name}" for key, name in zip(keys, key_names(join), strict=True))
    connection.execute(f"CREATE TEMP VIEW keyed AS SELECT '' AS __file, {named} FROM kept")
    refuse_twice(connection, "keyed", join, {"": file})
