"""Which snapshots the late-rows report can compare, and what it says of the others."""

from datetime import date

import pytest

from churn_platform.orchestration.late_effects import late_effects
from churn_platform.orchestration.shop import Shop
from churn_platform.sql.library import default_library
from churn_platform.warehouse.connection import open_database
from churn_platform.warehouse.gate import create_table

SNAPSHOT = date(2025, 3, 8)


def scored_home(shop: Shop, *, rung: str, definition: str, known: date) -> None:
    """A warehouse with one scored snapshot and one row of a customer, which happened before it."""
    with open_database(shop.home.warehouse_file) as connection:
        for table in ("churn_scores", "user_days", "fct_orders"):
            create_table(connection, default_library().contract(table), table)
        connection.execute(
            "INSERT INTO churn_scores BY NAME SELECT $snapshot AS snapshot_date, 'u' AS user_id,"
            " 0.5 AS churn_probability, $rung AS scored_by, 'v1' AS model_version, $definition AS definition_version",
            {"snapshot": SNAPSHOT, "rung": rung, "definition": definition},
        )
        connection.execute(
            "INSERT INTO user_days BY NAME SELECT 'u' AS user_id, DATE '2025-03-05' AS event_date,"
            " $known AS known_date, 3 AS events",
            {"known": known},
        )


def test_a_row_that_arrived_on_the_day_of_the_snapshot_is_not_late(shop: Shop) -> None:
    scored_home(shop, rung="model", definition=shop.definition.version, known=SNAPSHOT)
    effects, summary = late_effects(shop)
    assert (effects.height, summary) == (0, [])


@pytest.mark.parametrize(
    ("rung", "definition", "told"),
    [
        ("bgnbd", None, "scored by the bgnbd, whose fit of that day is not kept"),
        ("model", "another", "scored under the product definition another, not "),
        ("model", None, "its model v1 is not in "),
    ],
)
def test_what_cannot_be_compared_is_told_and_not_left_out(
    shop: Shop, rung: str, definition: str | None, told: str
) -> None:
    scored_home(shop, rung=rung, definition=definition or shop.definition.version, known=date(2025, 3, 9))
    effects, [effect] = late_effects(shop)
    assert effects.height == 0
    assert (effect.snapshot, effect.late_rows, effect.customers) == (SNAPSHOT, 3, 0)
    assert effect.not_compared.startswith(told)
