"""The rules of churn_scores on its reasons, on rows that keep them and rows that break them."""

import duckdb
import pytest

from churn_platform.sql.library import default_library
from churn_platform.warehouse.gate import create_table

WHOLE = {
    "reason_1_code": "support", "reason_1_actionable": True, "reason_2_code": "recency", "reason_2_actionable": False,
    "reason_3_code": None, "reason_3_actionable": None, "top_actionable_code": "support",
    "top_actionable_text": "3 support contacts", "top_actionable_contribution": 0.5,
}  # fmt: skip
NO_LEVER = {"top_actionable_code": None, "top_actionable_text": None, "top_actionable_contribution": None}


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({}, set()),
        (NO_LEVER, set()),
        ({"reason_1_actionable": None}, {"every_reason_says_whether_it_is_actionable"}),
        ({"reason_3_actionable": True}, {"every_reason_says_whether_it_is_actionable"}),
        ({"reason_2_code": None}, {"every_reason_says_whether_it_is_actionable"}),
        ({"top_actionable_contribution": 0.0}, {"the_top_actionable_is_whole_and_speaks_for_churn"}),
        ({"top_actionable_contribution": None}, {"the_top_actionable_is_whole_and_speaks_for_churn"}),
        ({"top_actionable_text": None}, {"the_top_actionable_is_whole_and_speaks_for_churn"}),
        ({**NO_LEVER, "top_actionable_text": "told"}, {"the_top_actionable_is_whole_and_speaks_for_churn"}),
    ],
    ids=str,
)
def test_a_reason_that_is_not_whole_is_caught(change: dict[str, object], broken: set[str]) -> None:
    contract, row = default_library().contract("churn_scores"), WHOLE | change
    with duckdb.connect() as connection:
        create_table(connection, contract, "churn_scores")
        connection.execute(
            f"INSERT INTO churn_scores ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", [*row.values()]
        )
        caught = {
            rule.name
            for rule in contract.rules
            if connection.execute(f"SELECT count(*) FROM churn_scores WHERE {rule.bad}").fetchall() != [(0,)]
        }
    assert caught == broken
