from collections.abc import Callable

from churn_platform.contracts.contract import Contract
from churn_platform.contracts.dictionary import dictionary_rows

WriteContract = Callable[..., Contract]


def test_one_row_a_column_in_contract_order(write_contract: WriteContract) -> None:
    rows = dictionary_rows(write_contract())
    assert [row["column_name"] for row in rows] == ["order_id", "user_id", "spend"]
    assert rows[2] == {
        "table_name": "fct_orders",
        "column_name": "spend",
        "data_type": "DECIMAL(18,2)",
        "meaning": "paid",
        "unit": "currency",
        "nullable": True,
        "feature_family": None,
    }
    assert [row["nullable"] for row in rows] == [False, False, True]
