"""Column lineage, of a small library and of the project's own."""

from churn_platform.sql.library import default_library
from churn_platform.sql.lineage import column_lineage
from churn_platform_tests.sql.small_library import Shop


def test_lineage_of_the_projects_features() -> None:
    lineage = column_lineage(default_library(), "user_features")
    assert list(lineage) == list(default_library().models["user_features"].columns)
    assert lineage["recency_days"] == (("user_days", "event_date"),)
    assert lineage["spend_30d"] == (("user_days", "spend"),)
    assert lineage["orders_7d"] == (("fct_orders", "order_date"),)
    assert lineage["snapshot_date"] == ()


def test_every_source_in_the_projects_lineage_exists() -> None:
    library = default_library()
    for table in library.models:
        for sources in column_lineage(library, table).values():
            for source, column in sources:
                assert column in library.contracts[source].column_names


def test_lineage_follows_a_chain_of_ctes_and_a_join(shop: Shop) -> None:
    shop.sql(
        "marts/top",
        """
        WITH named AS (SELECT user_id AS who, spend AS gross FROM spend),
        paid AS (SELECT user_id, MAX(amount) AS largest, MIN(known_date) AS first_day FROM events GROUP BY user_id),
        joined AS (SELECT who, gross - largest AS rest FROM named JOIN paid ON paid.user_id = named.who)
        SELECT who AS user_id, rest * 2 AS spend FROM joined WHERE rest > 0
        """,
    )
    assert column_lineage(shop.load(), "top") == {
        "user_id": (("spend", "user_id"),),
        "spend": (("events", "amount"), ("spend", "spend")),
    }


def test_lineage_of_a_constant_and_of_a_python_table_is_empty(shop: Shop) -> None:
    shop.sql("marts/top", "SELECT user_id, 1.5 AS spend FROM spend")
    library = shop.load()
    assert column_lineage(library, "top")["spend"] == ()
    assert column_lineage(library, "events") == {}
