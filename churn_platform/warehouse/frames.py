"""Query results as Polars frames, and the parts in which to read long ones."""

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import polars as pl


def read_frame(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, Any] | None = None
) -> pl.DataFrame:
    """The rows of a query with named parameters.

    Not by `connection.sql(query, params=…)`, which lays the rows out a second time to select from: for a million rows
    of 170 columns that takes 25 times as long.
    """
    return pl.DataFrame(connection.execute(query, parameters).to_arrow_table())


def key_ranges(keys: pl.Series, *, rows: int) -> Iterator[dict[str, Any]]:
    """The parameters $first and $last of a query that reads at most so many rows at a time, by a key in order.

    Reading in parts keeps memory from growing with the number of rows; a stream of them all, in order, would have
    DuckDB sort whole rows first.

    Args:
        keys: of all rows, each once, ascending.
    """
    for part in (keys.slice(start, rows) for start in range(0, len(keys), rows)):
        yield {"first": part[0], "last": part[-1]}
