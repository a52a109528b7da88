"""SQL that makes clean text of a value of any type."""


def as_text(value: str, value_type: str) -> str:
    """SQL of the value as text, untrimmed; a whole number has no decimals, NaN is NULL."""
    if value_type in ("DOUBLE", "FLOAT") or value_type.startswith("DECIMAL"):
        whole = f"{value} = trunc({value}) AND abs({value}) < 1e15"
        plain = f"CASE WHEN {whole} THEN CAST(CAST({value} AS BIGINT) AS VARCHAR) ELSE CAST({value} AS VARCHAR) END"
        return f"CASE WHEN NOT isnan({value}) THEN {plain} END" if value_type in ("DOUBLE", "FLOAT") else plain
    return value if value_type == "VARCHAR" else f"CAST({value} AS VARCHAR)"


def trimmed(value: str, value_type: str) -> str:
    """SQL of the value as text without blanks around it; NULL if nothing is left.

    DuckDB's trim walks every character, so it is kept for texts that need it.
    """
    text = as_text(value, value_type)
    suspect = f"starts_with({text}, ' ') OR ends_with({text}, ' ') OR strlen({text}) <> length({text})"
    return f"nullif(CASE WHEN {suspect} THEN trim({text}) ELSE {text} END, '')"


def identifier(value: str, value_type: str) -> str:
    """SQL of the value as a trimmed text that is one whatever wrote it: 13085, '13085' and '13085.0' are the same."""
    text = trimmed(value, value_type)
    is_whole = f"ends_with({text}, '.0') AND regexp_full_match({text}, '[0-9]+\\.0')"
    return f"CASE WHEN {is_whole} THEN replace({text}, '.0', '') ELSE {text} END"
