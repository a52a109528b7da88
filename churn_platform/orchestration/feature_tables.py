"""The families of features, a table each, as one frame; and which of them the source cannot supply."""

from collections.abc import Collection
from datetime import date

import duckdb

from churn_platform.contracts.contract import Column
from churn_platform.contracts.quoting import quoted
from churn_platform.sql.library import MEASURES, default_library

# Has a row for every customer of a snapshot, and tells who is eligible.
BASE = "user_features"


def feature_tables() -> list[str]:
    """The tables by snapshot and customer whose contracts put columns into families; BASE first, the others by name."""
    contracts = default_library().contracts
    others = [name for name, found in contracts.items() if name != BASE and any(c.family for c in found.columns)]
    return [BASE, *sorted(others)]


def feature_columns() -> list[Column]:
    """What a model may use: every column that belongs to a family, in the order of the tables."""
    return [column for _, column in described_features().values()]


def described_features() -> dict[str, tuple[str, Column]]:
    """Feature → its table and its column of the contract, in the order of the tables."""
    library = default_library()
    return {
        column.name: (table, column)
        for table in feature_tables()
        for column in library.contract(table).columns
        if column.family
    }


def all_features() -> str:
    """The tables joined, as SQL to select from: a row for each of BASE; null where a family has none."""
    base, *others = feature_tables()
    return " ".join([base, *(f"LEFT JOIN {table} USING (snapshot_date, user_id)" for table in others)])


def absent_features(
    connection: duckdb.DuckDBPyConnection, tables: Collection[str], snapshot: date, *, days: str = MEASURES
) -> frozenset[str]:
    """The columns of these tables that need a measure of which nothing was known at the snapshot.

    A shop that reports no support contacts has an unknown number of them, not none. `days` names the relation with the
    rows of user_days.
    """
    library = default_library()
    features = [column for table in tables for column in library.contract(table).columns if column.needs]
    needed = sorted({measure for column in features for measure in column.needs})
    if not needed:
        return frozenset()
    seen = ", ".join(f"coalesce(bool_or({quoted(measure)} > 0), false)" for measure in needed)
    known = "event_date < $snapshot_date AND known_date <= $snapshot_date"
    found = connection.execute(f"SELECT {seen} FROM {days} WHERE {known}", {"snapshot_date": snapshot}).fetchall()[0]
    missing = {measure for measure, is_there in zip(needed, found, strict=True) if not is_there}
    return frozenset(column.name for column in features if missing & set(column.needs))
