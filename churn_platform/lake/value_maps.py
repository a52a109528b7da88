"""A source's own words for our values: `[values.<column>]` of the mapping."""

from collections.abc import Mapping as MappingType

import duckdb

from churn_platform.lake.expressions import literal, quoted

NAMES_COUNTED = 20


def translated(text: str, words: MappingType[str, str], matched: str) -> str:
    """SQL that gives our value for a text, and the text itself where no word matches.

    A word matches exactly, else whatever its case, unless words that differ only in case mean different values.

    Args:
        text: SQL of type VARCHAR.
        words: theirs → ours.
        matched: SQL of the text without blanks around it.
    """
    lower: dict[str, set[str]] = {}
    for word, value in words.items():
        lower.setdefault(word.lower(), set()).add(value)
    alike = {word: min(values) for word, values in lower.items() if len(values) == 1}
    inner = f"CASE lower({matched}) {_branches(alike)} ELSE {text} END" if alike else text
    return f"CASE {matched} {_branches(words)} ELSE {inner} END"


def outside(
    connection: duckdb.DuckDBPyConnection, values: MappingType[str, MappingType[str, str]]
) -> dict[str, dict[str, int]]:
    """By mapped column, the values in the view `landed` that no word gives, with their rows: the 20 most frequent.

    An `adjustment` is left out: the platform makes it of a purchase without a price.
    """
    found = {}
    for column, words in values.items():
        known = [*words.values(), *(["adjustment"] if column == "event_type" else [])]
        rows = connection.execute(
            f"SELECT {quoted(column)}, count(*) FROM landed "
            f"WHERE {quoted(column)} NOT IN (SELECT unnest(?::VARCHAR[])) "
            f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {NAMES_COUNTED}",
            [known],
        ).fetchall()
        if rows:
            found[column] = dict(rows)
    return found


def _branches(words: MappingType[str, str]) -> str:
    return " ".join(f"WHEN {literal(word)} THEN {literal(value)}" for word, value in words.items())
