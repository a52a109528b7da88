"""The lake as a view: `raw_events`."""

import glob
from collections.abc import Sequence
from pathlib import Path

import duckdb

from churn_platform.lake.canonical import CANONICAL_TYPES
from churn_platform.lake.expressions import quoted


def create_raw_events_view(connection: duckdb.DuckDBPyConnection, fragments: Sequence[Path]) -> None:
    """Create the temp view `raw_events`: one row per landed event, duplicates included, plus `known_date` DATE.

    A temp view belongs to this connection; a second call on it replaces the first view. No fragments give an empty view
    of the same columns and types.

    Args:
        fragments: committed files, as `Ledger.fragments` gives them; `known_date` comes from their folders.
    """
    if not fragments:
        columns = ", ".join(f"CAST(NULL AS {kind}) AS {quoted(name)}" for name, kind in CANONICAL_TYPES.items())
        query = f"SELECT {columns}, CAST(NULL AS DATE) AS known_date WHERE false"
    else:
        connection.execute("SET VARIABLE raw_event_fragments = ?", [[glob.escape(str(path)) for path in fragments]])
        columns = ", ".join(quoted(name) for name in CANONICAL_TYPES)
        fragments_query = "read_parquet(getvariable('raw_event_fragments'), hive_types = {'known_date': DATE})"
        query = f"SELECT {columns}, known_date FROM {fragments_query}"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW raw_events AS {query}")
