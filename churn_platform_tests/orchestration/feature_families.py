"""The tables of features beside user_features, for tests that make that one themselves."""

import duckdb

from churn_platform.orchestration.feature_tables import feature_tables
from churn_platform.sql.library import default_library
from churn_platform.warehouse.gate import create_table


def create_feature_families(connection: duckdb.DuckDBPyConnection) -> None:
    """Each as its contract has it, without rows."""
    for table in feature_tables()[1:]:
        create_table(connection, default_library().contract(table), table)
