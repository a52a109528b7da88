"""What `churn init` takes for a canonical column, how sure it is, and why."""

from dataclasses import dataclass
from typing import Final

from churn_platform.errors import InputError
from churn_platform.lake.expressions import column_names, parse_expression, quoted

MOST: Final = 0.99  # a name and a sample prove nothing
LEAST: Final = 0.3  # below this confidence nothing is proposed
NAMED: Final = 0.5  # from this score on a header speaks for a canonical column


@dataclass(frozen=True)
class Choice:
    """One canonical column.

    Attributes:
        expression: as the mapping takes it.
        columns: the files' columns that it uses.
        confidence: in [0, 1].
        evidence: for a person.
    """

    role: str
    expression: str
    columns: tuple[str, ...]
    confidence: float
    evidence: str


def confidence_of(name_score: float, content: float) -> float:
    """How sure header and values together make: both in [0, 1]; values alone never more than 0.6."""
    return min(MOST, 0.55 * name_score + 0.45 * content) if name_score >= NAMED else 0.6 * content


def plain(column: str) -> str:
    """A column as a mapping expression: its bare name where that reads back as this column, else between quotes."""
    try:
        bare = parse_expression(column, column)
    except InputError:
        return quoted(column)
    return column if column_names(bare) == [column] and bare.sql("duckdb") == column else quoted(column)


def told_by(name_score: float, column: str) -> str:
    """The part of the evidence that the header gives."""
    return f"header '{column}'" if name_score >= NAMED else "no word in the header says so"
