"""A contract as rows of the data dictionary."""

from typing import Any

from churn_platform.contracts.contract import Column, Contract


def dictionary_rows(contract: Contract) -> list[dict[str, Any]]:
    """One row per column, in contract order: table_name, column_name, data_type, meaning, unit, nullable,
    feature_family."""
    return [
        {
            "table_name": contract.table,
            "column_name": column.name,
            "data_type": column.type,
            "meaning": _meaning(column),
            "unit": column.unit,
            "nullable": column.nullable,
            "feature_family": column.family,
        }
        for column in contract.columns
    ]


def _meaning(column: Column) -> str:
    needed = " or ".join(column.needs)
    return f"{column.meaning}; null while the source has no {needed}" if needed else column.meaning
