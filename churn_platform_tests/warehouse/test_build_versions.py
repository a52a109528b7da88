import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.warehouse.build_versions import (
    built_versions,
    forget_versions,
    mean_seconds,
    outdated,
    record_versions,
)

versions = st.dictionaries(st.dates().map(str), st.sampled_from("abc"), max_size=8)


def test_nothing_is_built_in_a_new_warehouse() -> None:
    with duckdb.connect() as connection:
        assert built_versions(connection, "user_days") == {}


@settings(max_examples=15)
@given(first=versions, second=versions)
def test_what_was_recorded_last_stands_beside_what_was_not_replaced(
    first: dict[str, str], second: dict[str, str]
) -> None:
    with duckdb.connect() as connection:
        record_versions(connection, "user_days", first)
        record_versions(connection, "user_days", second)
        assert built_versions(connection, "user_days") == first | second


def test_tables_do_not_share_versions() -> None:
    with duckdb.connect() as connection:
        record_versions(connection, "user_days", {"2024-01-01": "a"})
        record_versions(connection, "stg_events", {"2024-01-01": "b"})
        assert built_versions(connection, "user_days") == {"2024-01-01": "a"}
        assert built_versions(connection, "stg_events") == {"2024-01-01": "b"}


def test_what_is_forgotten_is_not_built_and_the_rest_stays() -> None:
    with duckdb.connect() as connection:
        record_versions(connection, "user_days", {"2024-01-01": "a", "2024-01-02": "b"})
        record_versions(connection, "stg_events", {"2024-01-01": "c"})
        forget_versions(connection, "user_days", {"2024-01-01", "2030-01-01"})
        assert built_versions(connection, "user_days") == {"2024-01-02": "b"}
        assert built_versions(connection, "stg_events") == {"2024-01-01": "c"}
        forget_versions(connection, "user_days", set())
        assert built_versions(connection, "user_days") == {"2024-01-02": "b"}


@given(wanted=versions, built=versions)
def test_outdated_are_the_wanted_keys_that_are_missing_or_different(
    wanted: dict[str, str], built: dict[str, str]
) -> None:
    found = outdated(wanted, built)
    assert found == sorted(found)
    assert set(found) == {key for key in wanted if key not in built or wanted[key] != built[key]}


@given(wanted=versions, built=versions)
def test_nothing_is_outdated_once_recorded(wanted: dict[str, str], built: dict[str, str]) -> None:
    assert outdated(wanted, built | wanted) == []


def test_the_time_of_a_build_is_the_mean_over_what_was_measured() -> None:
    with duckdb.connect() as connection:
        record_versions(connection, "user_days", {"2024-01-01": "a", "2024-01-02": "b"}, seconds=2.0)
        record_versions(connection, "user_days", {"2024-01-02": "b"}, seconds=4.0)
        record_versions(connection, "user_days", {"2024-01-03": "c"})
        assert mean_seconds(connection, "user_days") == 3.0
        assert mean_seconds(connection, "stg_events") is None


def test_a_warehouse_from_before_times_were_kept_goes_on() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE build_versions (table_name VARCHAR, partition_key VARCHAR, version VARCHAR,"
            " PRIMARY KEY (table_name, partition_key))"
        )
        connection.execute("INSERT INTO build_versions VALUES ('user_days', '2024-01-01', 'a')")
        record_versions(connection, "user_days", {"2024-01-02": "b"}, seconds=1.0)
        assert built_versions(connection, "user_days") == {"2024-01-01": "a", "2024-01-02": "b"}
        assert mean_seconds(connection, "user_days") == 1.0
