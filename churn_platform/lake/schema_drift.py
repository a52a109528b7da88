"""Columns that come and go between the files of one source: what is new is kept, what is optional may be missing."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from churn_platform.lake.canonical import column_types, referenced_columns, required_columns
from churn_platform.lake.expressions import quoted
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import Mapping

# More keys of JSON lines that neither the first file had nor the mapping names are data, not columns: each is searched
# for in every line (30,000 lines: 16 s and 2 GB for 990 of them, 3 s and 0.4 GB for 100).
MOST_NEW_KEYS = 100


@dataclass(frozen=True)
class EarlierColumns:
    """The columns of the files that have landed: of the first one, and of all of them."""

    first: list[str]
    all: list[str]


@dataclass(frozen=True)
class Drift:
    """A file's own columns; those of them to keep in `properties`; of these the ones that no earlier file had; and the
    columns that the mapping names and the file lacks.
    """

    columns: list[str]
    kept: list[str]
    new: list[str]
    missing: list[str]


def earlier_columns(ledger: Ledger) -> EarlierColumns | None:
    """What a file's columns are compared with; None before the first file.

    Files that were withdrawn since count: a restatement changes neither which file was the first nor what is new.
    """
    known = [list(landed.columns) for landed in ledger.commits() if landed.columns]
    if not known:
        return None
    return EarlierColumns(known[0], [*dict.fromkeys(column for columns in known for column in columns)])


def may_be_missing(mapping: Mapping, earlier: EarlierColumns | None) -> list[str]:
    """The columns that the mapping names for optional values and that earlier files had."""
    if earlier is None:
        return []
    optional = [name for name in referenced_columns(mapping) if name not in required_columns(mapping)]
    return [name for name in optional if {name.casefold(), _object(name)} & _folded(earlier.all)]


def drift_of(
    connection: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    earlier: EarlierColumns | None,
    columns: Sequence[str],
    kind: str,
) -> Drift:
    """Compare a file's own columns with the earlier ones, and give `source_records` those that it lacks, as NULL."""
    named = {name.casefold() for name in referenced_columns(mapping)}
    kept: list[str] = []
    if earlier is not None:
        used = named | _objects([*named, f"{mapping.source.unnest or ''}."]) | _folded(earlier.first)
        kept = [column for column in columns if column.casefold() not in used]
        if kind == "jsonl" and len(kept) > MOST_NEW_KEYS:
            columns, kept = [column for column in columns if column.casefold() in used], []
    new = [column for column in kept if earlier and column.casefold() not in _folded(earlier.all)]
    present = _folded([*column_types(connection, "source_records")])
    missing = [name for name in referenced_columns(mapping) if name.casefold() not in present]
    if missing:
        nulls = ", ".join(f"CAST(NULL AS VARCHAR) AS {quoted(name)}" for name in missing)
        connection.execute("ALTER VIEW source_records RENAME TO lacking_records")
        connection.execute(f"CREATE TEMP VIEW source_records AS SELECT *, {nulls} FROM lacking_records")
    return Drift([*columns], kept, new, missing)


def _folded(columns: Sequence[str]) -> set[str]:
    return {column.casefold() for column in columns}


def _objects(names: Sequence[str]) -> set[str]:
    """The objects that dotted names lead through."""
    parts = [name.casefold().split(".") for name in names]
    return {".".join(found[:length]) for found in parts for length in range(1, len(found))}


def _object(name: str) -> str:
    """The column that a dotted name begins with."""
    return name.casefold().partition(".")[0]
