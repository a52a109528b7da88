"""What the values of each column look like, and how columns hang together."""

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

import duckdb
import polars as pl

from churn_platform.lake.expressions import quoted
from churn_platform.lake.mapping import Decimal
from churn_platform.onboarding.numerals import decimal_mark, numbers_of
from churn_platform.onboarding.sample import Sample
from churn_platform.onboarding.times import TimeReading, clock_format, read_times
from churn_platform.onboarding.vocabulary import name_scores

DISTINCT_READ: Final = 3000
MOSTLY: Final = 0.95
LONGEST_KEY: Final = 128  # the digits of a SHA-512
KEY_COLUMNS: Final = 24  # beyond so many, pairs of columns are not compared


@dataclass(frozen=True)
class ColumnProfile:
    """One column of the sample.

    Attributes:
        kind: DuckDB type; VARCHAR for text formats.
        name_scores: canonical column → how well the header fits it.
        filled: share of records with a value; `distinct`: different values.
        values: up to 3,000 different values with their counts, the most frequent first.
        numeric: share of the values that are numbers; `whole` and `negative`: shares of those.
        time, clock: how it reads as times, and as times of day.
    """

    name: str
    kind: str
    name_scores: MappingType[str, float]
    records: int
    filled: float
    distinct: int
    values: tuple[tuple[str, int], ...]
    numeric: float
    whole: float
    negative: float
    time: TimeReading | None
    clock: str | None

    @property
    def is_number(self) -> bool:
        """Whether (nearly) all of it can be calculated with."""
        return self.numeric >= MOSTLY

    @property
    def is_key(self) -> bool:
        """Whether its values may tell somebody or something from others: no fractions, no times, more than one."""
        fractional = self.is_number and self.whole < MOSTLY
        return self.distinct > 1 and not fractional and self.clock is None and self.mean_length <= LONGEST_KEY

    @cached_property
    def mean_length(self) -> float:
        """Characters per value."""
        total = sum(count for _, count in self.values)
        return sum(len(value) * count for value, count in self.values) / total if total else 0.0

    def share(self, values: Sequence[str]) -> float:
        """Share of the records with a value that hold one of these."""
        wanted, total = set(values), sum(count for _, count in self.values)
        return sum(count for value, count in self.values if value in wanted) / total if total else 0.0


@dataclass(frozen=True)
class Profile:
    """All columns of one sample, and the decimal mark of its numbers."""

    columns: MappingType[str, ColumnProfile]
    frame: pl.DataFrame
    decimal: Decimal

    def named(self, role: str, least: float = 0.0) -> list[ColumnProfile]:
        """The columns whose header fits a canonical column, best first."""
        found = [column for column in self.columns.values() if column.name_scores.get(role, 0.0) > least]
        return sorted(found, key=lambda column: -column.name_scores[role])


def profile_of(connection: duckdb.DuckDBPyConnection, sample: Sample, now: datetime) -> Profile:
    """Profile every column of a sample.

    Args:
        connection: in memory; the sample is registered there as `sample`.
        now: UTC without zone.
    """
    frame = sample.frame
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("sample", frame.to_arrow())
    values = {name: _values(connection, name) for name in frame.columns}
    mark = decimal_mark(connection, ([value for value, _ in found] for found in values.values()), sample.kind)
    record = sample.files[0].name.partition(".")[0]
    if sample.unnest and not name_scores("id", record):
        record = "order"
    columns = {
        name: _profile(connection, sample, frame[name], values[name], mark, now, name_scores(name, record))
        for name in frame.columns
    }
    return Profile(columns, frame, mark)


def _values(connection: duckdb.DuckDBPyConnection, name: str) -> list[tuple[str, int]]:
    column = quoted(name)
    return connection.execute(
        f"SELECT {column}, count(*) FROM sample WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, hash({column}) "
        "LIMIT ?",
        [DISTINCT_READ],
    ).fetchall()


def _profile(
    connection: duckdb.DuckDBPyConnection,
    sample: Sample,
    column: pl.Series,
    values: list[tuple[str, int]],
    mark: Decimal,
    now: datetime,
    scores: MappingType[str, float],
) -> ColumnProfile:
    read = numbers_of(connection, [value for value, _ in values], mark, sample.kind)
    numbers = [(number, count) for number, (_, count) in zip(read, values, strict=True) if number is not None]
    total, counted = sum(count for _, count in values), sum(count for _, count in numbers)
    kind = sample.types.get(column.name, "VARCHAR")
    time = read_times(connection, column, kind, now)
    return ColumnProfile(
        name=column.name,
        kind=kind,
        name_scores=scores,
        records=len(column),
        filled=1 - column.null_count() / len(column),
        distinct=column.n_unique() - (column.null_count() > 0),
        values=tuple(values),
        numeric=counted / total if total else 0.0,
        whole=sum(count for number, count in numbers if number.is_integer()) / counted if counted else 0.0,
        negative=sum(count for number, count in numbers if number < 0) / counted if counted else 0.0,
        time=time,
        clock=clock_format(connection, column) if time is None else None,
    )


@dataclass(frozen=True)
class KeyFacts:
    """How a key column's values spread over days and other key columns.

    Attributes:
        repeats: share of its values that occur more than once.
        several_days: of those, the share that occurs on more than one day.
        determines: other column → of those, the share with a single value of the other column.
    """

    repeats: float
    several_days: float
    determines: MappingType[str, float]


def key_facts(connection: duckdb.DuckDBPyConnection, day: str, keys: Sequence[str]) -> dict[str, KeyFacts]:
    """Compare key columns with each other and with the day of the event.

    Args:
        connection: that of `profile_of`.
        day: SQL over `sample` that gives a record's day or time, as text.
        keys: column names; beyond 24 the last are left out.
    """
    found = {}
    for key in keys[:KEY_COLUMNS]:
        others = [name for name in keys[:KEY_COLUMNS] if name != key]
        singles = [f"avg(CAST(n{number} <= 1 AS INT)) FILTER (WHERE records > 1)" for number in range(len(others) + 1)]
        counts = [f"count(DISTINCT {day}) AS n0"]
        counts += [f"count(DISTINCT {quoted(name)}) AS n{number}" for number, name in enumerate(others, start=1)]
        column = quoted(key)
        repeats, one_day, *single = connection.execute(
            f"SELECT avg(CAST(records > 1 AS INT)), {', '.join(singles)} FROM (SELECT count(*) AS records, "
            f"{', '.join(counts)} FROM sample WHERE {column} IS NOT NULL GROUP BY {column})"
        ).fetchall()[0]
        several = 0.0 if one_day is None else 1.0 - one_day
        found[key] = KeyFacts(
            repeats or 0.0, several, dict(zip(others, (share or 0.0 for share in single), strict=True))
        )
    return found
