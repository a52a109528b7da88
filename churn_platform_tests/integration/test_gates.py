"""Bad data stop at their table: the good version stays, nothing downstream moves, nothing is published."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from churn_platform.contracts.quoting import quoted
from churn_platform.launch import run_job
from churn_platform.orchestration import snapshot_scores
from churn_platform.sql.library import default_library
from churn_platform.warehouse.gate import write_audit_publish
from churn_platform.warehouse.partition import Partition
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import content, rows

LAST_DAY = date(2025, 7, 31)


def test_a_bad_row_in_the_lake_stops_the_sql_built_table_and_all_after_it(shop_copy: SmallShop) -> None:
    [fragment] = (shop_copy.home.events / f"known_date={LAST_DAY}").glob("*.parquet")
    events = pl.read_parquet(fragment, hive_partitioning=False)
    broken = events.with_columns(user_id=pl.when(pl.int_range(pl.len()) == 0).then(None).otherwise(pl.col("user_id")))
    broken.write_parquet(fragment)
    before, published = content(shop_copy.home.warehouse_file), shop_copy.home.published_file.read_bytes()

    outcome = run_job(shop_copy.home, "daily_refresh", LAST_DAY, LAST_DAY)

    assert not outcome.succeeded
    assert outcome.failures.keys() == {"stg_events"}
    assert "not_null__user_id" in outcome.failures["stg_events"]
    assert "stg_events.not_null__user_id" in outcome.red_checks
    assert content(shop_copy.home.warehouse_file) == before
    assert shop_copy.home.published_file.read_bytes() == published
    kept = rows_of_quarantine(shop_copy, "stg_events", outcome.run_id)
    assert kept == [("not_null__user_id", None, events["event_id"][0])]
    recorded = (
        "SELECT status, failing_rows FROM quality_results"
        f" WHERE run_id = '{outcome.run_id}' AND expectation = 'not_null__user_id'"
    )
    assert rows(shop_copy.home.warehouse_file, recorded) == [("failed", 1)]

    events.write_parquet(fragment)
    repaired = run_job(shop_copy.home, "daily_refresh", LAST_DAY, LAST_DAY)
    assert repaired.succeeded, repaired.failures
    assert content(shop_copy.home.warehouse_file) == before


def rows_of_quarantine(shop: SmallShop, table: str, run_id: str) -> list[tuple[object, ...]]:
    file = shop.home.quarantine / "gates" / table / f"{run_id}.parquet"
    with duckdb.connect() as connection:
        sql = "SELECT failed_expectation, user_id, event_id FROM read_parquet($file)"
        return connection.execute(sql, {"file": str(file)}).fetchall()


def test_a_bad_score_stops_the_python_built_table_and_all_after_it(
    shop_copy: SmallShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = snapshot_scores.score
    monkeypatch.setattr(
        snapshot_scores,
        "score",
        lambda *given: good(*given).with_columns(churn_probability=pl.col("churn_probability") + 1),
    )
    before, published = content(shop_copy.home.warehouse_file), shop_copy.home.published_file.read_bytes()

    outcome = run_job(shop_copy.home, "daily_refresh", LAST_DAY, LAST_DAY)

    assert not outcome.succeeded
    assert outcome.failures.keys() == {"churn_scores"}
    assert "churn_scores.between__churn_probability" in outcome.red_checks
    assert content(shop_copy.home.warehouse_file) == before
    assert shop_copy.home.published_file.read_bytes() == published


# A row of each table that is empty after a single snapshot of a shop without a challenger.
OF_EMPTY = {
    "segment_moves": "SELECT DATE '2025-07-02' AS snapshot_date, DATE '2025-07-01' AS compared_with,"
    " 'loyal' AS from_segment, 'silent' AS to_segment, 1 AS customers",
    "shadow_scores": "SELECT snapshot_date, user_id, model_version AS champion_version, 'newer' AS challenger_version,"
    " churn_probability AS champion_probability, churn_probability AS challenger_probability,"
    " risk_band AS champion_band, risk_band AS challenger_band, scored_by, expected_value, definition_version"
    " FROM churn_scores LIMIT 1",
    "challenger_comparison": "SELECT snapshot_date, 'newer' AS challenger_version, model_version AS champion_version,"
    " scored_by, definition_version, 1 AS customers, 0 AS band_change_share, 0 AS mean_difference, false AS matured"
    " FROM churn_scores LIMIT 1",
}


@pytest.fixture(scope="module")
def filled(small_shop: SmallShop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small shop's warehouse with a row in every table; a write that is refused leaves it as it was."""
    file = tmp_path_factory.mktemp("filled") / "warehouse.duckdb"
    shutil.copyfile(small_shop.home.warehouse_file, file)
    with duckdb.connect(str(file)) as connection:
        for table, row in OF_EMPTY.items():
            connection.execute(f"INSERT INTO {table} BY NAME {row}")
    return file


@pytest.mark.parametrize("table", sorted(default_library().contracts.keys() - {"raw_events", "quality_results"}))
def test_any_table_with_a_null_key_or_a_repeated_row_is_refused(filled: Path, tmp_path: Path, table: str) -> None:
    contract, before = default_library().contract(table), content(filled, only=[table])
    key = contract.grain[-1]
    breaks = {
        f"not_null__{key}": f"SELECT * REPLACE (NULL AS {quoted(key)}) FROM {quoted(table)} LIMIT 1",
        "__".join(["unique", *contract.grain]): f"SELECT * FROM {quoted(table)} LIMIT 1",
    }
    whole = (
        Partition(contract.partition_column, date(2000, 1, 1), date(2100, 1, 1)) if contract.partition_column else None
    )
    for number, (rule, bad_row) in enumerate(breaks.items()):
        with duckdb.connect(str(filled)) as connection:
            result = write_audit_publish(
                connection,
                contract,
                lambda target, audit, bad=bad_row: target.execute(
                    f"CREATE TABLE {quoted(audit)} AS SELECT * FROM {quoted(table)} UNION ALL ({bad})"
                ),
                run_id=f"broken-{number}",
                quarantine=tmp_path / "quarantine",
                partition=whole,
                checked_at=datetime(2025, 8, 1, tzinfo=UTC),
            )
        assert not result.passed
        assert rule in {found.name for found in result.results if found.status == "failed"}
        assert content(filled, only=[table]) == before
