"""Frames read whole and in parts."""

import duckdb
import polars as pl
import pytest

from churn_platform.warehouse.frames import read_frame, read_parts

QUERY = "SELECT i, i / 3 AS third, i::VARCHAR AS told FROM range($rows) AS t(i) ORDER BY i"


@pytest.mark.parametrize("rows", [0, 1, 5000])
def test_a_frame_holds_what_the_query_gives(rows: int) -> None:
    with duckdb.connect() as connection:
        frame = read_frame(connection, QUERY, {"rows": rows})
    assert frame.schema == {"i": pl.Int64, "third": pl.Float64, "told": pl.String}
    assert frame.rows() == [(number, number / 3, str(number)) for number in range(rows)]


def test_a_query_without_parameters_needs_none() -> None:
    with duckdb.connect() as connection:
        assert read_frame(connection, "SELECT 1 AS one").rows() == [(1,)]


@pytest.mark.parametrize("at_once", [1, 7, 2048, 5000, 6000])
def test_the_parts_are_the_frame_and_none_is_larger_than_asked_for(at_once: int) -> None:
    with duckdb.connect() as connection:
        parts = list(read_parts(connection, QUERY, {"rows": 5000}, rows=at_once))
        assert pl.concat(parts).equals(read_frame(connection, QUERY, {"rows": 5000}))
    assert max(part.height for part in parts) <= at_once


def test_of_no_rows_there_are_no_parts() -> None:
    with duckdb.connect() as connection:
        assert list(read_parts(connection, QUERY, {"rows": 0}, rows=10)) == []
