"""The home as a resource: its lock during a run, and versions that change when they must and only then."""

from datetime import UTC, date, datetime

import dagster as dg
import pytest

from churn_platform.core.snapshots import Windows
from churn_platform.errors import HomeBusy, NotEnoughData
from churn_platform.orchestration.shop import Shop
from churn_platform.settings import Home
from churn_platform.sql.library import default_library
from churn_platform.warehouse.lock import WriterLock
from churn_platform_tests.orchestration.feature_families import create_feature_families
from churn_platform_tests.orchestration.landed_files import landed_history, landed_live

MAY = [date(2024, 5, day) for day in range(1, 32)]
JUNE_1, JUNE_2, JUNE_3 = date(2024, 6, 1), date(2024, 6, 2), date(2024, 6, 3)


def define(home: Home, text: str) -> None:
    home.definition_file.write_text(text, encoding="utf-8")


def test_a_run_holds_the_home_from_its_first_step_to_its_last(home: Home, shop: Shop) -> None:
    lock = WriterLock(home.lock_file)

    @dg.asset
    def first(context: dg.AssetExecutionContext, shop: Shop) -> None:
        assert lock.last_holder() == context.run.run_id
        with pytest.raises(HomeBusy, match=context.run.run_id):
            lock.acquire("another")

    @dg.asset(deps=[first])
    def second(shop: Shop) -> None:
        with pytest.raises(HomeBusy):
            lock.acquire("another")

    assert dg.materialize([first, second], resources={"shop": shop}).success
    with lock:
        lock.acquire("another")


def test_a_run_that_fails_gives_the_home_back(home: Home, shop: Shop) -> None:
    @dg.asset
    def broken(shop: Shop) -> None:
        raise ZeroDivisionError

    assert not dg.materialize([broken], resources={"shop": shop}, raise_on_error=False).success
    with WriterLock(home.lock_file) as lock:
        lock.acquire("another")


def test_an_empty_lake_has_no_history(shop: Shop) -> None:
    with pytest.raises(NotEnoughData, match=r"Nothing has landed in .*lake yet\. Drop files into .*landing"):
        _ = shop.history


def test_history_and_plan_follow_the_ledger(home: Home, shop: Shop) -> None:
    landed_history(home, "h", MAY)
    assert shop.history.first_day == MAY[0]
    assert shop.history.watermark == shop.history.history_watermark == date(2024, 5, 30)
    landed_live(home, "l1", JUNE_2)
    assert shop.history.watermark == JUNE_1
    assert shop.history.history_watermark == date(2024, 5, 30)
    assert shop.plan.newest == JUNE_2


def test_windows_and_capacity_are_the_definitions(home: Home, shop: Shop) -> None:
    assert shop.windows == Windows(lookback=180, lead=0, horizon=90, grace=7, cadence=30)
    assert shop.capacity == 1000
    churn = "lookback_days = 10\nlead_days = 1\nhorizon_days = 5\nlabel_grace_days = 2\ntraining_cadence_days = 3\n"
    define(home, f"[churn]\n{churn}[campaign]\nbudget = 9.9\ncontact_cost = 2\n")
    assert shop.windows == Windows(lookback=10, lead=1, horizon=5, grace=2, cadence=3)
    assert shop.capacity == 4


def test_every_parameter_of_the_sql_models_has_a_value(home: Home, shop: Shop) -> None:
    """`first_day`, `last_day`, `snapshot_date` and `label_grace_days` belong to the partition that is built."""
    landed_history(home, "h", MAY)
    by_partition = {"first_day", "last_day", "snapshot_date", "label_grace_days"}
    asked = set().union(*(model.parameters for model in default_library().models.values()))
    assert asked - by_partition == shop.values().keys() & asked
    assert shop.values()["newest_snapshot"] == date(2024, 5, 31)
    assert shop.values()["training_snapshots"] == []


def test_now_is_the_declared_time_of_a_replay(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_NOW", "2024-06-01T06:00:00+02:00")
    assert shop.now() == datetime(2024, 6, 1, 4, 0, tzinfo=UTC)


def test_the_warehouse_spills_inside_the_home(home: Home, shop: Shop) -> None:
    with shop.warehouse() as connection:
        found = connection.execute("SELECT current_setting('temp_directory')").fetchall()
    assert found == [(str(home.root / ".spill"),)]
    assert home.warehouse_file.is_file()


def test_the_training_frame_is_the_training_set_with_its_features_in_order(shop: Shop) -> None:
    with shop.warehouse() as connection:
        connection.execute(
            "CREATE TABLE user_features AS FROM (VALUES (DATE '2024-02-01', 'u2', 7), (DATE '2024-01-01', 'u2', 6),"
            " (DATE '2024-01-01', 'u1', 5), (DATE '2024-03-01', 'u1', 8)) f (snapshot_date, user_id, orders_total)"
        )
        connection.execute(
            "CREATE TABLE training_set AS SELECT snapshot_date, user_id, orders_total % 2 AS churned"
            " FROM user_features WHERE orders_total < 8"
        )
        create_feature_families(connection)
        connection.execute(
            "INSERT INTO season_features BY NAME"
            " SELECT DATE '2024-01-01' AS snapshot_date, 'u2' AS user_id, 3 AS active_days_same_period_last_year"
        )
        frame = shop.training_frame(connection)
    wanted = ["snapshot_date", "user_id", "orders_total", "active_days_same_period_last_year", "churned"]
    assert frame.select(wanted).rows() == [
        (date(2024, 1, 1), "u1", 5, None, 1),
        (date(2024, 1, 1), "u2", 6, 3, 0),
        (date(2024, 2, 1), "u2", 7, None, 1),
    ]
    assert frame.columns[-1] == "churned"


def test_the_features_are_the_columns_of_all_families_each_named_once(shop: Shop) -> None:
    contracts = default_library().contracts.values()
    assert set(shop.features) == {column.name for found in contracts for column in found.columns if column.family}
    assert len(set(shop.features)) == len(shop.features)
    assert not {"user_id", "snapshot_date", "is_eligible"} & set(shop.features)
    assert {"recency_days", "decayed_activity_30d", "stayed_last_year"} <= set(shop.features)


def test_a_day_has_a_new_version_when_a_file_brings_rows_to_it_and_only_then(home: Home, shop: Shop) -> None:
    landed_history(home, "h", [MAY[0], MAY[1]])
    before = shop.day_versions("code")
    assert before.keys() == {"2024-05-01", "2024-05-02"}
    landed_live(home, "l1", JUNE_1)
    landed_history(home, "h2", [MAY[1], MAY[4]])
    after = shop.day_versions("code")
    assert after.keys() == before.keys() | {"2024-05-05", "2024-06-01"}
    assert after["2024-05-01"] == before["2024-05-01"]
    assert after["2024-05-02"] != before["2024-05-02"]


def test_the_order_in_which_files_landed_does_not_matter(
    home: Home, shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    landed_live(home, "a", JUNE_1)
    landed_live(home, "b", JUNE_1)
    mirrored = Home(tmp_path_factory.mktemp("mirrored")).create()
    landed_live(mirrored, "b", JUNE_1)
    landed_live(mirrored, "a", JUNE_1)
    other = Shop(home_folder=str(mirrored.root))
    assert shop.day_versions("code") == other.day_versions("code")
    assert shop.snapshot_version("code", JUNE_1) == other.snapshot_version("code", JUNE_1)


def test_a_snapshot_has_a_new_version_for_files_known_by_then_and_not_for_later_ones(home: Home, shop: Shop) -> None:
    landed_live(home, "l1", JUNE_1)
    before = shop.snapshot_version("code", JUNE_2)
    landed_live(home, "l3", JUNE_3)
    assert shop.snapshot_version("code", JUNE_2) == before
    landed_live(home, "l2", JUNE_2)
    assert shop.snapshot_version("code", JUNE_2) != before


def test_versions_follow_the_code_and_what_churn_means_and_nothing_else(home: Home, shop: Shop) -> None:
    landed_live(home, "l1", JUNE_1)

    def both(code: str = "code") -> tuple[str, str]:
        return shop.day_versions(code)["2024-06-01"], shop.snapshot_version(code, JUNE_1)

    before = both()
    assert all(new != old for new, old in zip(both("other code"), before, strict=True))
    define(home, "[campaign]\nbudget = 5\n[scores]\nmedium = 0.1\n[targets]\nminimum_auc = 0.7\n")
    assert both() == before
    define(home, "[churn]\nhorizon_days = 60\n")
    assert all(new != old for new, old in zip(both(), before, strict=True))
