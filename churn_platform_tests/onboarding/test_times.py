"""How times are written, and how day and month are told apart."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.onboarding.scratch import scratch_connection
from churn_platform.onboarding.times import TimeReading, clock_format, read_times

NOW = datetime(2025, 6, 1)  # noqa: DTZ001


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with scratch_connection() as opened:
        opened.execute("SET TimeZone = 'UTC'")
        yield opened


def read(connection: duckdb.DuckDBPyConnection, *values: str | None, kind: str = "VARCHAR") -> TimeReading | None:
    return read_times(connection, pl.Series("time", values, dtype=pl.String), kind, NOW)


@pytest.mark.parametrize(
    ("value", "time_format"),
    [
        ("2024-01-31", None),
        ("2024-01-31 23:30:00", None),
        ("2024-01-31T23:30:00+02:00", None),
        ("31/01/2024 23:30", "%d/%m/%Y %H:%M"),
        ("1/31/2024 11:30 PM", "%m/%d/%Y %I:%M %p"),
        ("31.01.2024", "%d.%m.%Y"),
        ("31.1.24 7:05", "%d.%m.%y %H:%M"),
        ("20240131", "%Y%m%d"),
        ("31-Jan-2024", "%d-%b-%Y"),
        ("Jan 31, 2024", "%b %d, %Y"),
        ("2024年01月31日", "%Y年%m月%d日"),
        ("1706743800", "epoch_s"),
        ("1706743800000", "epoch_ms"),
        ("45322.979", "excel_serial"),
    ],
)
def test_the_format_is_recognized(connection: duckdb.DuckDBPyConnection, value: str, time_format: str | None) -> None:
    reading = read(connection, value, None)
    assert reading is not None
    assert reading.time_format == time_format
    assert abs(reading.first - datetime(2024, 1, 31, 12)) <= timedelta(hours=12)  # noqa: DTZ001


@pytest.mark.parametrize("value", ["hello", "12", "3.75", "SKU-2024-17", "1899-01-01", "2031-01-01", "+49 30 1234567"])
def test_what_is_no_time_of_a_shop_is_none(connection: duckdb.DuckDBPyConnection, value: str) -> None:
    assert read(connection, value) is None


def test_a_value_above_twelve_decides(connection: duckdb.DuckDBPyConnection) -> None:
    for values, expected in ((("01/02/2024", "13/02/2024"), "%d/%m/%Y"), (("01/02/2024", "02/13/2024"), "%m/%d/%Y")):
        reading = read(connection, *values)
        assert reading is not None
        assert (reading.time_format, reading.doubt) == (expected, None)


def test_where_no_value_decides_the_order_of_the_file_does(connection: duckdb.DuckDBPyConnection) -> None:
    days = [datetime(2024, month, day) for month in range(1, 13) for day in (2, 5, 9, 12)]  # noqa: DTZ001
    for time_format in ("%d/%m/%Y", "%m/%d/%Y"):
        reading = read(connection, *(day.strftime(time_format) for day in days))
        assert reading is not None
        assert reading.time_format == time_format
        assert reading.doubt is not None
        assert "check it" in reading.doubt
        assert "do not go back" in reading.doubt


@settings(deadline=None, max_examples=25)
@given(st.lists(st.datetimes(datetime(1991, 1, 1), datetime(2025, 1, 1)), min_size=1, max_size=30))  # noqa: DTZ001
def test_first_and_last_are_those_of_the_values(connection: duckdb.DuckDBPyConnection, times: list[datetime]) -> None:
    reading = read(connection, *(time.strftime("%Y-%m-%d %H:%M:%S") for time in times))
    assert reading is not None
    assert (reading.first, reading.last) == (min(times).replace(microsecond=0), max(times).replace(microsecond=0))


def test_times_of_day_are_told_from_prices(connection: duckdb.DuckDBPyConnection) -> None:
    assert clock_format(connection, pl.Series(["09:30", "17:05"])) == "%H:%M"
    assert clock_format(connection, pl.Series(["9:30 AM", "5:05 PM"])) == "%I:%M %p"
    assert clock_format(connection, pl.Series(["9.30", "5.05"])) is None
