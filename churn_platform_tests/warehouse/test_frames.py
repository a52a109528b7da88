"""Frames, and the parts in which they are read."""

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(keys=st.sets(st.text(max_size=3), min_size=1), rows=st.integers(1, 30))
def test_the_parts_hold_each_key_once_in_order_and_none_is_larger_than_asked_for(keys: set[str], rows: int) -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE users (user_id VARCHAR)")
        connection.executemany("INSERT INTO users VALUES (?)", [[key] for key in keys])
        ordered = read_frame(connection, "FROM users ORDER BY user_id")["user_id"]
        between = "FROM users WHERE user_id BETWEEN $first AND $last ORDER BY user_id"
        parts = list(read_parts(connection, between, {}, keys=ordered, rows=rows))
    assert pl.concat(parts)["user_id"].to_list() == ordered.to_list()
    assert max(part.height for part in parts) <= rows


def test_of_no_keys_there_are_no_parts() -> None:
    with duckdb.connect() as connection:
        assert list(read_parts(connection, QUERY, {}, keys=pl.Series([], dtype=pl.String), rows=10)) == []
