"""Rows of a PostgreSQL table or query, read in batches by DuckDB's postgres extension."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from churn_platform.errors import InputError, suggest
from churn_platform.extensions import connect_offline, load_extension
from churn_platform.lake.canonical import referenced_columns
from churn_platform.lake.expressions import find_column, literal
from churn_platform.lake.journal import sync_to_disk
from churn_platform.lake.mapping import Mapping
from churn_platform.lake.sources.declarations import Postgres

TIMES = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
ANSWER = "SELECT * FROM postgres_query('server', getvariable('pull'))"
TABLES = (
    "SELECT CASE WHEN table_schema = current_schema() THEN '' ELSE table_schema || '.' END || table_name AS name "
    "FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
)


@dataclass(frozen=True)
class Batch:
    """Rows with a cursor beyond `after` (None: from the first) up to and with `upto`; without a cursor, all rows."""

    after: str | None
    upto: str | None


@contextmanager
def connected(declared: Postgres, mapping: Mapping) -> Iterator["PostgresRows"]:
    """Open the declared relation for reading only.

    Raises:
        UsageError: the postgres extension is not installed.
        InputError: the server does not answer or refuses; the relation, the cursor or a column of the mapping does not
            exist; a query of the block fails.
    """
    with connect_offline() as connection:
        load_extension(connection, "postgres", "Pulling from PostgreSQL")
        try:
            connection.execute(f"ATTACH {literal(declared.dsn)} AS server (TYPE postgres, READ_ONLY)")
        except duckdb.Error as error:
            reason = " ".join(str(error).partition('": ')[2].split()) or str(error).splitlines()[0]
            raise InputError(
                f"PostgreSQL cannot be reached: {reason} Check dsn under [source.postgres] in the mapping, the PG* "
                "variables and ~/.pgpass, and that the server runs."
            ) from None
        rows = PostgresRows(connection, declared)
        try:
            rows.check(mapping)
            yield rows
        except duckdb.Error as error:
            raise InputError(
                f"PostgreSQL did not answer a query of the pull: {' '.join(str(error).split())[:500]}. "
                "What was pulled before is kept; run again."
            ) from error


class PostgresRows:
    """The rows of one relation, in the order of its cursor."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, declared: Postgres) -> None:
        self._connection = connection
        self._declared = declared
        self._relation = f"({declared.query.strip().rstrip(';')})" if declared.query else _quoted_table(declared.table)
        self._cursor = _quoted(declared.cursor) if declared.cursor else None
        self._delayed = ""

    def check(self, mapping: Mapping) -> None:
        """Compare relation, cursor and the mapping's columns with what the server has.

        Raises:
            InputError: one of them does not exist; names what does.
        """
        types = self._columns()
        for column, key in referenced_columns(mapping).items():
            find_column(column, key, list(types), self.name)
        cursor = self._declared.cursor
        if cursor is None:
            return
        if cursor not in types:
            raise InputError(
                f"Mapping key source.postgres.cursor: {self.name} has no column '{cursor}'.{suggest(cursor, [*types])}"
            )
        if self._declared.delay_seconds:
            if types[cursor] not in TIMES:
                raise InputError(
                    f"Mapping key source.postgres.delay_seconds: the cursor '{cursor}' holds {types[cursor]}. "
                    "It needs times. Leave the delay out, or choose a cursor of times."
                )
            self._delayed = f"{self._cursor} <= now() - interval '{self._declared.delay_seconds} seconds'"

    @property
    def name(self) -> str:
        """The relation, for a person."""
        return self._declared.table or "the query under [source.postgres]"

    def without_cursor(self) -> int:
        """Rows whose cursor is NULL, which no incremental pull ever sees."""
        return int(
            self._fetch(f"SELECT count(*) AS n FROM {self._relation} AS source WHERE {self._cursor} IS NULL") or 0
        )

    def last(self, after: str | None) -> str | None:
        """The greatest cursor value beyond `after`, as text; None if there is none."""
        return self._cursor_of(
            f"SELECT {self._cursor} AS position FROM {self._relation} AS source WHERE {self._beyond(after)}"
        )

    def next_batch(self, after: str | None, last: str) -> Batch | None:
        """The next rows up to `last`: as many as declared, and those that share the final cursor value."""
        limits = f"{self._beyond(after)} AND {self._cursor} <= {literal(last)}"
        first_rows = (
            f"SELECT {self._cursor} AS position FROM {self._relation} AS source WHERE {limits} "
            f"ORDER BY {self._cursor} LIMIT {self._declared.batch_rows}"
        )
        upto = self._cursor_of(first_rows)
        return None if upto is None else Batch(after, upto)

    def write(self, batch: Batch, file: Path) -> int:
        """Write the rows of a batch to a Parquet file, durably, and return their number."""
        query = f"SELECT * FROM {self._relation} AS source"
        if batch.upto is not None:
            bounds = f"{self._beyond(batch.after)} AND {self._cursor} <= {literal(batch.upto)}"
            query += f" WHERE {bounds} ORDER BY {self._cursor}"
        self._connection.execute("SET VARIABLE pull = ?", [query])
        self._connection.execute("SET VARIABLE target = ?", [str(file)])
        ((rows,),) = self._connection.execute(f"COPY ({ANSWER}) TO (getvariable('target')) (FORMAT parquet)").fetchall()
        sync_to_disk(file)
        return int(rows)

    def _beyond(self, after: str | None) -> str:
        conditions = [f"{self._cursor} IS NOT NULL" if after is None else f"{self._cursor} > {literal(after)}"]
        return " AND ".join([*conditions, *filter(None, [self._delayed])])

    def _cursor_of(self, positions: str) -> str | None:
        # to_json writes any type so that it reads back exactly, times in ISO 8601 whatever the server's DateStyle.
        found = self._fetch(
            f"SELECT to_json(position) #>> '{{}}' AS text FROM ({positions}) AS found ORDER BY position DESC LIMIT 1"
        )
        return None if found is None else str(found)

    def _columns(self) -> dict[str, str]:
        self._connection.execute("SET VARIABLE pull = ?", [f"SELECT * FROM {self._relation} AS source LIMIT 0"])
        try:
            found = self._connection.execute(f"DESCRIBE {ANSWER}")
        except duckdb.Error as error:
            reason = " ".join(str(error).partition("ERROR:")[2].partition("LINE")[0].split()) or str(error)
            if self._declared.table is not None and "does not exist" in reason:
                raise InputError(
                    f"Mapping key source.postgres.table: {reason}.{suggest(self._declared.table, self._tables())}"
                ) from error
            key = "table" if self._declared.table else "query"
            raise InputError(f"Mapping key source.postgres.{key}: the server refuses it: {reason}.") from error
        return {name: kind for name, kind, *_ in found.fetchall()}

    def _tables(self) -> list[str]:
        self._connection.execute("SET VARIABLE pull = ?", [TABLES])
        return [name for (name,) in self._connection.execute(ANSWER).fetchall()]

    def _fetch(self, query: str) -> Any:
        self._connection.execute("SET VARIABLE pull = ?", [query])
        row = self._connection.execute(ANSWER).fetchone()
        return None if row is None else row[0]


def _quoted(identifier: str) -> str:
    return exp.to_identifier(identifier, quoted=True).sql("postgres")


def _quoted_table(table: str | None) -> str:
    return ".".join(_quoted(part) for part in (table or "").split("."))
