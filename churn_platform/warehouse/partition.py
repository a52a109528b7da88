"""The rows of an incremental table that one write replaces."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

from churn_platform.contracts.quoting import literal, quoted
from churn_platform.errors import UsageError


@dataclass(frozen=True)
class Partition:
    """The rows whose date column lies in [first, last], both days included; with `only`, on one of these days of it.

    Raises:
        UsageError: the last day is before the first.
    """

    column: str
    first: date
    last: date
    only: tuple[date, ...] | None = None

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise UsageError(f"The partition of {self.column} ends on {self.last}, before it begins on {self.first}.")

    @classmethod
    def of_dates(cls, column: str, dates: Sequence[date]) -> Self:
        """The rows on exactly these days; no day selects no row."""
        return cls(column, min(dates, default=date.min), max(dates, default=date.min), tuple(sorted(dates)))

    @property
    def inside(self) -> str:
        """SQL condition that a row of the partition satisfies."""
        column = quoted(self.column)
        if self.only is None:
            return f"({column} BETWEEN {literal(self.first)} AND {literal(self.last)})"
        return f"({column} IN ({', '.join(literal(day) for day in self.only)}))" if self.only else "(false)"

    @property
    def outside(self) -> str:
        """SQL condition that a row outside the partition satisfies."""
        return f"(NOT {self.inside})"
