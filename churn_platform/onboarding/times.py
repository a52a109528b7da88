"""How a column writes its times: which format reads them, and how day and month were told apart."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product
from typing import Final

import duckdb
import polars as pl
from sqlglot import exp

from churn_platform.lake.mapping import EXCEL_SERIAL

DATES: Final = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d/%m/%y",
    "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y",
    "%b %d %Y", "%Y年%m月%d日",
)  # fmt: skip
ZONED: Final = ("%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M %z", "%d/%b/%Y:%H:%M:%S %z")
CLOCKS: Final = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%H.%M")
BETWEEN: Final = (" ", "T", ", ")
EPOCHS: Final = {"epoch_s": 1_000_000, "epoch_ms": 1_000}  # microseconds
EARLIEST: Final = datetime(1990, 1, 1)  # noqa: DTZ001 - as the lake: before any shop's records
EXCEL_RANGE: Final = (32_874, 55_154)  # 1990 to 2051
ENOUGH: Final = 0.9
LONGEST: Final = 40
SWAPPED: Final = {"%d": "%m", "%m": "%d"}


@dataclass(frozen=True)
class TimeReading:
    """One way to read a column as times.

    Attributes:
        time_format: as [source] of a mapping takes it; None for ISO 8601 and typed columns.
        share: of the filled values that it reads as a time from 1990 to tomorrow.
        ascending: share of the steps from record to record that do not go back.
        days: distinct days; `date_only`: every time is midnight.
        doubt: how the day was told from the month, where the values leave it open.
    """

    time_format: str | None
    share: float
    ascending: float
    first: datetime
    last: datetime
    days: int
    date_only: bool
    doubt: str | None = None


def read_times(
    connection: duckdb.DuckDBPyConnection, values: pl.Series, kind: str, now: datetime
) -> TimeReading | None:
    """The best way to read a column as times, None if none reads nine in ten of its values.

    Args:
        values: text, in file order.
        kind: the column's DuckDB type.
        now: UTC without zone; later times are no times of events.
    """
    filled = values.drop_nulls()
    if filled.is_empty():
        return None
    _register(connection, filled, now)
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        return _measured(connection, None)
    probe = filled.unique(maintain_order=True).head(500)
    formats = _candidates(connection, probe)
    readings = [reading for name in formats if (reading := _measured(connection, name)) and reading.share >= ENOUGH]
    if not readings:
        return None
    best = max(readings, key=lambda reading: reading.share)
    twin = next((reading for reading in readings if _is_twin(reading, best)), None)
    return best if twin is None or twin.share < best.share else _told_apart(best, twin)


def clock_format(connection: duckdb.DuckDBPyConnection, values: pl.Series) -> str | None:
    """The format of a column of times of day, without dates; None if it is none."""
    probe = values.drop_nulls().unique(maintain_order=True).head(500)
    if probe.is_empty():
        return None
    if sum(":" in text for text in probe) < ENOUGH * len(probe):
        return None  # 9.30 may be a price as well
    shares = {name: _parsed_share(connection, probe, name) for name in CLOCKS}
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] >= ENOUGH else None


def _candidates(connection: duckdb.DuckDBPyConnection, probe: pl.Series) -> list[str | None]:
    """The formats that read most of some values, so that only those are tried on all."""
    numbers = probe.cast(pl.Float64, strict=False)
    if numbers.null_count() == 0:
        low, high = float(numbers.min() or 0), float(numbers.max() or 0)  # type: ignore[arg-type]
        if EXCEL_RANGE[0] <= low and high <= EXCEL_RANGE[1]:
            return [EXCEL_SERIAL]
        compact = ["%Y%m%d"] if _parsed_share(connection, probe, "%Y%m%d") >= ENOUGH else []
        return [*compact, *EPOCHS]
    iso = connection.execute(
        "SELECT avg(CAST(TRY_CAST(value AS TIMESTAMPTZ) IS NOT NULL AS INT)) FROM (SELECT unnest(?) AS value)",
        [probe.to_list()],
    ).fetchall()[0][0]
    if iso >= ENOUGH:
        return [None]
    if sum(map(_may_be_date, probe)) < ENOUGH * len(probe):
        return []
    few = probe.head(20)
    dates = [name for name in (*DATES, *ZONED) if _parsed_share(connection, probe, name) >= ENOUGH]
    timed = [f"{day}{between}{clock}" for day, between, clock in product(DATES, BETWEEN, CLOCKS)]
    timed = [name for name in timed if _parsed_share(connection, few, name) >= ENOUGH]
    return [*dates, *(name for name in timed if _parsed_share(connection, probe, name) >= ENOUGH)]


def _may_be_date(text: str) -> bool:
    """Whether a text has the digits and the parts of a date: most columns do not, and are not tried further."""
    return len(text) <= LONGEST and sum(map(str.isdigit, text)) >= 3 and len(re.findall(r"[0-9]+|[^\W\d_]+", text)) >= 3


def _parsed_share(connection: duckdb.DuckDBPyConnection, probe: pl.Series, name: str) -> float:
    rows = connection.execute(
        "SELECT avg(CAST(try_strptime(value, ?) IS NOT NULL AS INT)) FROM (SELECT unnest(?) AS value)",
        [name, probe.to_list()],
    ).fetchall()
    return float(rows[0][0])


def _register(connection: duckdb.DuckDBPyConnection, filled: pl.Series, now: datetime) -> None:
    frame = pl.DataFrame({"value": filled, "position": range(len(filled))})
    connection.register("time_values", frame.to_arrow())
    connection.execute("SET VARIABLE earliest = ?", [EARLIEST])
    connection.execute("SET VARIABLE now = ?", [now])


def time_sql(time_format: str | None, column: str) -> str:
    """SQL that reads a text column as a TIMESTAMP, null where it cannot.

    Args:
        column: SQL of the column.
    """
    if time_format is None:
        return f"CAST(TRY_CAST({column} AS TIMESTAMPTZ) AS TIMESTAMP)"
    if time_format in EPOCHS:
        return f"TRY(make_timestamp(CAST(TRY_CAST({column} AS DOUBLE) * {EPOCHS[time_format]} AS BIGINT)))"
    if time_format == EXCEL_SERIAL:
        milliseconds = f"CAST(TRY_CAST({column} AS DOUBLE) * 86400000 AS BIGINT)"
        return f"TRY(TIMESTAMP '1899-12-30' + to_milliseconds({milliseconds}))"
    return f"try_strptime({column}, {exp.Literal.string(time_format).sql('duckdb')})"


def _measured(connection: duckdb.DuckDBPyConnection, time_format: str | None) -> TimeReading | None:
    share, ascending, first, last, days, midnight = connection.execute(
        f"""
        WITH read AS (SELECT position, {time_sql(time_format, "value")} AS time FROM time_values),
        kept AS (
            SELECT position, CASE WHEN time BETWEEN getvariable('earliest') AND getvariable('now') THEN time END AS time
            FROM read
        ),
        stepped AS (SELECT time, time >= lag(time) OVER (ORDER BY position) AS forward FROM kept)
        SELECT avg(CAST(time IS NOT NULL AS INT)), coalesce(avg(CAST(forward AS INT)), 1), min(time), max(time),
            count(DISTINCT CAST(time AS DATE)), bool_and(time = date_trunc('day', time)) FROM stepped
        """
    ).fetchall()[0]
    return TimeReading(time_format, share, ascending, first, last, days, midnight) if share else None


def _is_twin(reading: TimeReading, best: TimeReading) -> bool:
    """Whether both differ only in which number is the day."""
    if reading.time_format is None or best.time_format is None:
        return False
    return reading.time_format == swapped(best.time_format) != best.time_format


def swapped(time_format: str) -> str:
    """The format in which day and month have changed places."""
    return re.sub("%[dm]", lambda part: SWAPPED[part.group()], time_format)


def _told_apart(one: TimeReading, other: TimeReading) -> TimeReading:
    """Of two readings that fit all values: the one that goes back less often, else the one with the narrower span."""
    ordered, loser = (one, other) if one.ascending >= other.ascending else (other, one)
    how = f"in file order {ordered.ascending:.0%} of its steps do not go back, against {loser.ascending:.0%}"
    if ordered.ascending - loser.ascending < 0.02:
        ordered, loser = sorted((one, other), key=lambda reading: (reading.last - reading.first, reading.time_format))
        how = f"its dates span {(ordered.last - ordered.first).days} days, against {(loser.last - loser.first).days}"
    doubt = f"no day above 12 tells it from {loser.time_format}; taken because {how}: check it"
    return replace(ordered, doubt=doubt)
