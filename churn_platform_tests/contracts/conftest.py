"""Contracts written to disk for a test."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from churn_platform.contracts.contract import Contract, load_contract

WriteContract = Callable[..., Contract]

ORDERS = {
    "description": "one row per order",
    "owner": "team:data",
    "grain": ["order_id"],
    "materialisation": "full",
    "columns": [
        {"name": "order_id", "type": "VARCHAR", "meaning": "the order"},
        {
            "name": "user_id",
            "type": "VARCHAR",
            "meaning": "who ordered",
            "nullable": False,
            "references": "dim_users.user_id",
        },
        {"name": "spend", "type": "DECIMAL(18,2)", "meaning": "paid", "unit": "currency", "min": 0},
    ],
}


@pytest.fixture
def write_contract(tmp_path: Path) -> WriteContract:
    """Write `fct_orders` (or another table) with the given keys changed, and load it."""

    def write(table: str = "fct_orders", **changes: object) -> Contract:
        path = tmp_path / "warehouse" / f"{table}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(ORDERS | changes, sort_keys=False), encoding="utf-8")
        return load_contract(path)

    return write
