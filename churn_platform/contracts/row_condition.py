"""SQL conditions of row rules, checked before they meet data."""

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError


def columns_of_condition(rule: str, condition: str) -> list[str]:
    """The columns that a row rule's condition uses, in order; empty where it holds a subquery with columns of its own.

    Raises:
        ValueError: the condition is not one SQL expression.
    """
    try:
        parsed = parse_one(f"SELECT 1 WHERE ({condition}\n)", dialect="duckdb")
    except SqlglotError as error:
        raise ValueError(f"rule '{rule}': '{condition}' is not a SQL condition: {error}") from error
    if parsed.find(exp.Subquery) or len(list(parsed.find_all(exp.Select))) > 1:
        return []
    return list(dict.fromkeys(column.name for column in parsed.find_all(exp.Column)))
