"""Names and values as DuckDB SQL text, for the places where a parameter cannot be bound.

Great Expectations takes a query without parameters, and neither a table nor a column name can be a parameter anywhere.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlglot import exp

Value = str | bool | int | float | Decimal | date | datetime


def quoted(name: str) -> str:
    """A table or column name as a quoted DuckDB identifier."""
    return exp.to_identifier(name, quoted=True).sql(dialect="duckdb")


def quoted_list(names: Sequence[str]) -> str:
    """Names as quoted DuckDB identifiers, separated by commas."""
    return ", ".join(quoted(name) for name in names)


def literal(value: Value) -> str:
    """A value as a DuckDB literal of its own type."""
    return exp.convert(value).sql(dialect="duckdb")
