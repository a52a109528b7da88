"""Numbers in text, read as the lake will read them, and which decimal mark they have."""

import re
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Final

import duckdb

from churn_platform.lake.mapping import Decimal
from churn_platform.lake.numbers import create_number_macros
from churn_platform.lake.source_file import Kind

SIGN: Final = re.compile(r"[€£$¥₹₽₺]|zł")


def numbers_of(
    connection: duckdb.DuckDBPyConnection, texts: Sequence[str], mark: Decimal, kind: Kind
) -> list[float | None]:
    """The number that each text means where `mark` is the decimal mark; None for a text that is none."""
    create_number_macros(connection, mark, kind)
    rows = connection.execute("SELECT as_double(text) FROM (SELECT unnest(?::VARCHAR[]) AS text)", [texts]).fetchall()
    return [number if number is not None and isfinite(number) else None for (number,) in rows]


def decimal_mark(connection: duckdb.DuckDBPyConnection, columns: Iterable[Sequence[str]], kind: Kind) -> Decimal:
    """The decimal mark that makes numbers of more values; the point where both do."""
    texts = [text for values in columns for text in values if any(mark in text for mark in ".,")]
    point, comma = (numbers_of(connection, texts, mark, kind) for mark in (".", ","))
    by_mark = [(one is not None, other is not None) for one, other in zip(point, comma, strict=True)]
    return "," if by_mark.count((False, True)) > by_mark.count((True, False)) else "."


def currency_sign(values: Iterable[str]) -> str | None:
    """The currency sign that the values carry, if all that carry one carry the same."""
    signs = {match.group() for text in values if (match := SIGN.search(text))}
    return signs.pop() if len(signs) == 1 else None
