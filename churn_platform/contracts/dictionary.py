"""A contract as rows of the data dictionary."""

from typing import Any

from churn_platform.contracts.contract import Contract


def dictionary_rows(contract: Contract) -> list[dict[str, Any]]:
    """One row per column, in contract order: table_name, column_name, data_type, meaning, unit, nullable."""
    return [
        {
            "table_name": contract.table,
            "column_name": column.name,
            "data_type": column.type,
            "meaning": column.meaning,
            "unit": column.unit,
            "nullable": column.nullable,
        }
        for column in contract.columns
    ]
