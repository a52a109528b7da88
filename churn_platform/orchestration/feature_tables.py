"""The families of features, a table each, as one frame."""

from churn_platform.contracts.contract import Column
from churn_platform.sql.library import default_library

# Has a row for every customer of a snapshot, and tells who is eligible.
BASE = "user_features"


def feature_tables() -> list[str]:
    """The tables by snapshot and customer whose contracts put columns into families; BASE first, the others by name."""
    contracts = default_library().contracts
    others = [name for name, found in contracts.items() if name != BASE and any(c.family for c in found.columns)]
    return [BASE, *sorted(others)]


def feature_columns() -> list[Column]:
    """What a model may use: every column that belongs to a family, in the order of the tables."""
    library = default_library()
    return [column for table in feature_tables() for column in library.contract(table).columns if column.family]


def all_features() -> str:
    """The tables joined, as SQL to select from: a row for each of BASE; null where a family has none."""
    base, *others = feature_tables()
    return " ".join([base, *(f"LEFT JOIN {table} USING (snapshot_date, user_id)" for table in others)])
