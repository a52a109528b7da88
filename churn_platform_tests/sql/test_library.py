"""The SQL model library: what stops it from loading, and what it derives from the text of the models."""

import re
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from churn_platform.errors import DefinitionError
from churn_platform.sql.library import default_library
from churn_platform_tests.sql.small_library import EVENTS, SPEND, SPEND_SQL, TOP_SQL, Shop


def test_a_sound_library_loads(shop: Shop) -> None:
    library = shop.load()
    assert set(library.contracts) == {"events", "spend", "top"}
    assert set(library.models) == {"spend", "top"}
    assert library.order == ("events", "spend", "top")


def test_the_projects_own_library_loads_in_an_order_that_respects_every_dependency() -> None:
    library = default_library()
    assert sorted(library.order) == sorted(library.contracts)
    for table in library.order:
        earlier = library.order[: library.order.index(table)]
        assert library.dependencies(table) <= set(earlier)


def test_an_unknown_parameter_is_refused_with_the_nearest_that_exists(shop: Shop) -> None:
    shop.sql("marts/top", "SELECT user_id, spend FROM spend WHERE spend > $lookback_day")
    shop.assert_refused(
        "top.sql: unknown parameter $lookback_day.", "Did you mean 'lookback_days'? Existing: activity_types,"
    )


def test_a_known_parameter_is_accepted(shop: Shop) -> None:
    shop.sql("marts/top", "SELECT user_id, spend FROM spend WHERE spend > $lookback_days OR spend < $lead_days")
    assert shop.load().models["top"].parameters == {"lookback_days", "lead_days"}


def test_a_dollar_in_a_text_or_comment_is_no_parameter(shop: Shop) -> None:
    shop.sql("marts/top", "SELECT user_id, spend FROM spend WHERE user_id <> '$nobody' -- $nothing")
    assert shop.load().models["top"].parameters == frozenset()


BY_DAY = "SELECT user_id, amount AS spend, known_date FROM events WHERE known_date "
BY_SNAPSHOT = "SELECT user_id, spend, CAST($snapshot_date AS DATE) AS snapshot_date FROM spend"


@pytest.mark.parametrize(
    ("materialisation", "column", "sql", "missing"),
    [
        ("arrival_day", "known_date", f"{BY_DAY} >= $first_day", "last_day"),
        ("arrival_day", "known_date", f"{BY_DAY} <= $last_day", "first_day"),
        ("snapshot", "snapshot_date", BY_SNAPSHOT.replace("$snapshot_date", "'2024-01-01'"), "snapshot_date"),
    ],
)
def test_a_parameter_that_the_materialisation_needs_must_be_bound(
    shop: Shop, materialisation: str, column: str, sql: str, missing: str
) -> None:
    shop.contract("marts/top", SPEND | {column: "DATE"}, materialisation=materialisation).sql("marts/top", sql)
    shop.assert_refused(f"top.sql: missing parameter ${missing}: materialisation '{materialisation}'", "must bind it")


@pytest.mark.parametrize(
    ("materialisation", "column", "sql", "bound"),
    [
        ("arrival_day", "known_date", f"{BY_DAY} BETWEEN $first_day AND $last_day", {"first_day", "last_day"}),
        ("snapshot", "snapshot_date", BY_SNAPSHOT, {"snapshot_date"}),
    ],
)
def test_a_model_that_binds_its_partition_loads(
    shop: Shop, materialisation: str, column: str, sql: str, bound: set[str]
) -> None:
    shop.contract("marts/top", SPEND | {column: "DATE"}, materialisation=materialisation).sql("marts/top", sql)
    assert shop.load().models["top"].parameters == bound


def test_a_full_table_cannot_bind_the_parameter_of_a_partition(shop: Shop) -> None:
    shop.sql("marts/top", f"{TOP_SQL} AND user_id < $snapshot_date")
    shop.assert_refused("top.sql: parameter $snapshot_date has no value in materialisation 'full'")


@pytest.mark.parametrize("star", ["SELECT * FROM spend", "SELECT spend.* FROM spend", "SELECT user_id, * FROM spend"])
def test_an_outermost_star_is_refused_naming_the_columns(shop: Shop, star: str) -> None:
    shop.sql("marts/top", star)
    shop.assert_refused(
        "top.sql: the outermost SELECT has a *.", "Name every column, as in the contract: user_id, spend."
    )


def test_a_star_inside_is_accepted(shop: Shop) -> None:
    shop.sql("marts/top", "WITH inner_spend AS (SELECT * FROM spend) SELECT user_id, spend FROM inner_spend")
    assert shop.load().models["top"].columns == ("user_id", "spend")


def test_a_table_that_nobody_builds_is_refused_with_the_nearest_that_exists(shop: Shop) -> None:
    shop.sql("marts/top", "SELECT user_id, spend FROM spends")
    shop.assert_refused(
        "top.sql reads 'spends', which nobody builds. Did you mean 'spend'? Existing: events, spend, top."
    )


def test_a_foreign_key_must_point_to_a_table_and_column_that_exist(shop: Shop) -> None:
    shop.contract("marts/top", SPEND, references={"user_id": "users.user_id"})
    shop.assert_refused("top.user_id references 'users', which nobody builds.", "Existing: events, spend, top.")
    shop.contract("marts/top", SPEND, references={"user_id": "spend.user"})
    shop.assert_refused("top.user_id references 'spend.user', which does not exist.", "Did you mean 'user_id'?")
    shop.contract("marts/top", SPEND, references={"user_id": "spend.user_id"})
    assert shop.load().dependencies("top") == {"spend"}


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (
            "SELECT user_id FROM spend",
            "In the contract but not selected: spend. Selected but not in the contract: none.",
        ),
        (
            "SELECT user_id, spend AS total FROM spend",
            "In the contract but not selected: spend. Selected but not in the contract: total.",
        ),
        (
            "SELECT user_id, spend, spend AS total FROM spend",
            "In the contract but not selected: none. Selected but not in the contract: total.",
        ),
        ("SELECT user_id, spend, spend FROM spend", "Selected but not in the contract: none. Selected twice: spend."),
    ],
)
def test_columns_on_which_contract_and_sql_disagree_are_refused(shop: Shop, sql: str, found: str) -> None:
    shop.sql("marts/top", sql)
    shop.assert_refused("top.sql and its contract disagree.", found)


def test_the_order_of_the_columns_is_no_disagreement(shop: Shop) -> None:
    shop.sql("marts/top", "SELECT spend, user_id FROM spend")
    assert shop.load().models["top"].columns == ("spend", "user_id")


@pytest.mark.parametrize("unknown", ["SELECT user_id, spent AS spend FROM spend", f"{TOP_SQL} AND spent > 1"])
def test_an_unknown_upstream_column_is_refused_naming_those_that_exist(shop: Shop, unknown: str) -> None:
    shop.sql("marts/top", unknown)
    shop.assert_refused("top.sql: ", "spent", "Columns that exist: spend(user_id, spend).")


def test_an_unknown_column_behind_a_cte_is_refused(shop: Shop) -> None:
    shop.sql("marts/top", "WITH a AS (SELECT user_id AS who FROM spend) SELECT a.user_id, 1.0 AS spend FROM a")
    shop.assert_refused("top.sql: ", "user_id", "Columns that exist: spend(user_id, spend).")


def test_a_cycle_of_queries_is_refused_naming_its_tables(shop: Shop) -> None:
    shop.sql("warehouse/spend", "SELECT user_id, spend FROM top")
    shop.assert_refused("Tables depend on each other in a cycle: ", "top → spend", "spend → top")


def test_a_cycle_by_way_of_a_foreign_key_is_refused(shop: Shop) -> None:
    shop.contract("warehouse/spend", SPEND, references={"user_id": "top.user_id"})
    shop.assert_refused("Tables depend on each other in a cycle: ", "top → spend", "spend → top")


def test_a_table_that_reads_its_own_earlier_partitions_is_no_cycle(shop: Shop) -> None:
    sql = (
        "SELECT user_id, spend, CAST($snapshot_date AS DATE) AS snapshot_date FROM spend ANTI JOIN top USING (user_id)"
    )
    shop.contract("marts/top", SPEND | {"snapshot_date": "DATE"}, materialisation="snapshot").sql("marts/top", sql)
    library = shop.load()
    assert library.models["top"].reads == {"spend", "top"}
    assert library.dependencies("top") == {"spend"}


def test_a_query_without_contract_is_refused_and_a_contract_without_query_is_not(shop: Shop) -> None:
    shop.remove("marts/top.yml").assert_refused("top.sql has no contract. Expected", "top.yml beside it.")
    shop.contract("marts/top", SPEND).remove("marts/top.sql")
    assert set(shop.load().models) == {"spend"}


def test_a_contract_in_another_stage_does_not_count(shop: Shop) -> None:
    shop.remove("marts/top.yml").contract("warehouse/top", SPEND)
    shop.assert_refused(
        f"{Path('marts') / 'top.sql'} has no contract. Expected", f"{Path('marts') / 'top.yml'} beside it."
    )


def test_a_table_name_in_two_stages_is_refused(shop: Shop) -> None:
    shop.contract("warehouse/top", SPEND)
    shop.assert_refused("table 'top' has a second contract", "unique over all stages")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{TOP_SQL}; {TOP_SQL}", "2 statement(s)"),
        ("-- nothing but a comment", "0 statement(s)"),
        ("DROP TABLE spend", "exactly one SELECT"),
        ("CREATE TABLE other AS SELECT user_id, spend FROM spend", "exactly one SELECT"),
    ],
)
def test_a_file_that_is_not_one_select_is_refused(shop: Shop, text: str, found: str) -> None:
    shop.sql("marts/top", text)
    shop.assert_refused("top.sql must hold exactly one SELECT", found)


def test_a_file_that_is_not_sql_is_refused(shop: Shop) -> None:
    shop.sql("marts/top", "SELECT user_id, FROM WHERE (")
    shop.assert_refused("top.sql cannot be parsed as DuckDB SQL")


def test_a_trailing_semicolon_is_one_statement(shop: Shop) -> None:
    shop.sql("marts/top", f"{TOP_SQL};\n")
    assert shop.load().models["top"].columns == ("user_id", "spend")


def test_dependencies_are_the_tables_read_and_the_foreign_keys_not_the_ctes(shop: Shop) -> None:
    sql = "WITH all_events AS (FROM events) SELECT s.user_id, s.spend FROM spend s JOIN all_events USING (user_id)"
    shop.sql("marts/top", sql)
    library = shop.load()
    assert library.dependencies("top") == {"events", "spend"}
    assert library.dependencies("events") == frozenset()


def test_a_foreign_key_alone_makes_a_dependency(shop: Shop) -> None:
    shop.contract("marts/other", SPEND).sql("marts/other", SPEND_SQL)
    assert shop.load().dependencies("other") == {"events"}
    shop.contract("marts/other", SPEND, references={"user_id": "top.user_id"})
    library = shop.load()
    assert library.dependencies("other") == {"events", "top"}
    assert library.order.index("top") < library.order.index("other")


def test_the_projects_dependencies_include_those_of_foreign_keys() -> None:
    library = default_library()
    assert library.dependencies("fct_orders") == {"stg_events", "dim_users"}
    assert library.dependencies("stg_events") == {"raw_events"}
    assert library.dependencies("user_features") == {"user_days", "fct_orders", "dim_users"}


def test_a_table_without_contract_is_an_error_with_the_nearest_that_exists() -> None:
    message = "No contract for table 'user_feature'. Did you mean 'user_features'?"
    with pytest.raises(DefinitionError, match=re.escape(message)):
        default_library().contract("user_feature")


def test_comment_and_layout_do_not_change_a_code_version(shop: Shop) -> None:
    before = shop.load().code_versions
    relaid = SPEND_SQL.replace(" FROM", "  -- a sum\n  from")
    shop.sql("warehouse/spend", f"-- what each customer spent\n{relaid}\n")
    assert shop.load().code_versions == before


@pytest.mark.parametrize(
    ("change", "keeps"),
    [
        (lambda shop: shop.sql("warehouse/spend", SPEND_SQL.replace("SUM", "MAX")), {"events"}),
        (lambda shop: shop.sql("marts/top", TOP_SQL.replace("100", "101")), {"events", "spend"}),
        (lambda shop: shop.contract("warehouse/spend", SPEND | {"spend": "FLOAT"}), {"events"}),
        (lambda shop: shop.contract("staging/events", EVENTS | {"text": "VARCHAR"}, grain=["event_id"]), set()),
    ],
    ids=["logic", "logic at the end", "contract", "contract of a source"],
)
def test_a_change_alters_the_code_version_of_its_table_and_all_downstream(
    shop: Shop, change: Callable[[Shop], Shop], keeps: set[str]
) -> None:
    before = shop.load().code_versions
    change(shop)
    after = shop.load().code_versions
    assert {table for table in before if before[table] == after[table]} == keeps


def _shop_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE TABLE spend AS FROM (VALUES ('ann', 50.0), ('bob', 150.0)) AS t(user_id, spend)")


def test_build_writes_a_new_table_with_the_values_bound(shop: Shop) -> None:
    shop.sql("marts/top", "SELECT user_id, spend FROM spend WHERE spend > $lookback_days")
    library = shop.load()
    with duckdb.connect() as connection:
        _shop_tables(connection)
        library.build(connection, "top", "top audit", {"lookback_days": 100, "horizon_days": 9})
        assert connection.execute('SELECT user_id FROM "top audit"').fetchall() == [("bob",)]
        library.append(connection, "top", "top audit", {"lookback_days": 10})
        rows = connection.execute('SELECT user_id FROM "top audit" ORDER BY ALL').fetchall()
        assert rows == [("ann",), ("bob",), ("bob",)]


def test_build_without_a_value_is_an_error_that_names_the_parameter(shop: Shop) -> None:
    shop.sql("marts/top", "SELECT user_id, spend FROM spend WHERE spend > $lookback_days")
    library = shop.load()
    with duckdb.connect() as connection:
        _shop_tables(connection)
        message = r"top\.sql: parameter \$lookback_days has no value here.* Existing: lead_days"
        with pytest.raises(DefinitionError, match=message):
            library.build(connection, "top", "built", {"lead_days": 1})
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("spend",)]


def test_a_value_is_bound_and_never_read_as_sql(shop: Shop) -> None:
    shop.sql("marts/top", "SELECT user_id, spend FROM spend WHERE user_id <> $timezone")
    with duckdb.connect() as connection:
        _shop_tables(connection)
        shop.load().build(connection, "top", "built", {"timezone": "'; DROP TABLE spend; --"})
        assert connection.execute("SELECT count(*) FROM built").fetchone() == (2,)


def test_a_feature_of_a_family_that_is_not_declared_is_refused(shop: Shop) -> None:
    shop.write("families.yml", "support: {zh: 客服, actionable: true, why: a complaint can be solved}\n")
    assert shop.load().families["support"].actionable
    file = shop.folder / "warehouse" / "spend.yml"
    text = file.read_text().replace("name: spend\n", "name: spend\n  family: suport\n")
    file.write_text(text)
    shop.assert_refused("spend.spend is in the family 'suport'", "families.yml", "Did you mean 'support'?")
    file.write_text(text.replace("suport", "support"))
    assert shop.load().contract("spend").column("spend").family == "support"


def test_the_texts_of_a_feature_are_no_part_of_the_code_version(shop: Shop) -> None:
    before = shop.load().code_versions["top"]
    file = shop.folder / "warehouse" / "spend.yml"
    said = "  reason: spent\n  zh:\n    meaning: 金额\n    reason: 消费\n"
    file.write_text(file.read_text().replace("name: spend\n", f"name: spend\n{said}"))
    assert shop.load().contract("spend").column("spend").reason_in("zh") == "消费"
    assert shop.load().code_versions["top"] == before
