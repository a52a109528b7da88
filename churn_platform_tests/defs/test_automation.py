"""The sensor on landing/, in a real Dagster instance and a real home."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from churn_platform.defs import automation
from churn_platform.defs.automation import ATTEMPTS, FILES_TAG, landing_sensor
from churn_platform.defs.raw.assets import defs
from churn_platform.lake.ingest import ingest
from churn_platform.lake.landing import LandingFile, accept, waiting
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import read_mapping
from churn_platform.lake.restating import Decision, restate
from churn_platform.lake.source_file import fingerprint_of
from churn_platform.orchestration import arrivals
from churn_platform.orchestration.arrivals import NO_FILE, ONLY_FILE, complete
from churn_platform.orchestration.partitions import LAKE_STATE, RANGE_END, RANGE_START, range_tags
from churn_platform.orchestration.shop import Shop
from churn_platform.settings import Home
from churn_platform_tests.orchestration.landed_files import (
    HEADERS,
    JOINED_MAPPING,
    LINES,
    MAPPING,
    ROWS,
    landed_history,
    landed_live,
)
from churn_platform_tests.orchestration.lock_holder import lock_held_by

NOW = datetime(2024, 6, 1, 4, 0, tzinfo=UTC)


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with a mapping, at a declared time, whose files count as complete at once."""
    created = Home(tmp_path / "home").create()
    created.mapping_file.write_text(MAPPING, encoding="utf-8")
    monkeypatch.setenv("CHURN_HOME", str(created.root))
    monkeypatch.setenv("CHURN_NOW", NOW.isoformat())
    monkeypatch.setattr(automation, "SETTLE_SECONDS", 0.0)
    return created


def drop(folder: Path, name: str = "monday.csv", content: str = ROWS) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def tick(instance: DagsterInstance) -> dg.RunRequest | str:
    """One look of the sensor: the one run that it asks for, or the words with which it skips."""
    with dg.build_sensor_context(instance=instance) as context:
        found = landing_sensor(context)
    if isinstance(found, dg.SkipReason):
        return str(found.skip_message)
    assert isinstance(found, dg.SensorResult)
    assert found.run_requests is not None
    assert len(found.run_requests) == 1
    return found.run_requests[0]


def asked(instance: DagsterInstance) -> dg.RunRequest:
    found = tick(instance)
    assert isinstance(found, dg.RunRequest), found
    return found


def run_of(request: dg.RunRequest, instance: DagsterInstance, status: DagsterRunStatus) -> None:
    instance.add_run(DagsterRun(job_name=str(request.job_name), tags=dict(request.tags), status=status))


def test_the_sensor_runs_without_being_switched_on() -> None:
    assert landing_sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert [job.name for job in landing_sensor.jobs] == ["full_refresh", "daily_refresh"]


def test_without_a_mapping_it_says_what_is_missing(instance: DagsterInstance, home: Home) -> None:
    path = drop(home.landing)
    home.mapping_file.unlink()
    assert "mapping.toml does not exist" in str(tick(instance))
    assert path.exists()


def test_a_wrong_mapping_leaves_every_file_where_it_is(instance: DagsterInstance, home: Home) -> None:
    path = drop(home.landing)
    home.mapping_file.write_text("[source]\nname = 'shop'\n[columns]\nuser = 'customer'\n")
    said = str(tick(instance))
    assert said.startswith("Files wait until there is a mapping") and "user" in said
    assert path.exists()


def test_an_empty_landing_starts_nothing(instance: DagsterInstance, home: Home) -> None:
    assert tick(instance) == f"No complete file waits in {home.landing}."


def test_a_live_file_starts_one_daily_refresh_over_its_arrival_day(instance: DagsterInstance, home: Home) -> None:
    drop(home.landing)
    request = asked(instance)
    assert request.job_name == "daily_refresh"
    assert request.tags[RANGE_START] == request.tags[RANGE_END] == "2024-06-01"
    assert request.tags[FILES_TAG]


def test_headers_are_kept_first_and_alone_start_no_run(instance: DagsterInstance, home: Home) -> None:
    home.mapping_file.write_text(JOINED_MAPPING, encoding="utf-8")
    drop(home.landing, "orders.csv", HEADERS)
    assert tick(instance) == f"No complete file waits in {home.landing}."
    assert (home.accepted / "orders.csv").exists()
    drop(home.landing, "lines.csv", LINES.replace("2,", "3,"))
    drop(home.landing, "orders_more.csv", HEADERS.replace("2,", "3,"))
    drop(home.landing, "orders_twice.csv", HEADERS + "1,u9,2024-05-02\n")
    assert asked(instance).job_name == "daily_refresh"
    assert [file.path.name for file in waiting(home)] == ["lines.csv"]
    assert "stands in 2 rows" in (home.rejected / "orders_twice.csv.error.txt").read_text()


def test_the_arrival_day_is_the_shops_and_stays_when_the_sensor_looks_again(
    instance: DagsterInstance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.definition_file.write_text('timezone = "America/Los_Angeles"\n', encoding="utf-8")
    drop(home.landing)
    first = asked(instance)
    monkeypatch.setenv("CHURN_NOW", "2024-06-09T04:00:00+00:00")
    second = asked(instance)
    assert first.tags[RANGE_START] == "2024-05-31"
    assert second.tags == first.tags
    assert second.run_key == first.run_key


def test_a_history_file_starts_one_full_refresh_over_the_days_of_its_events(
    instance: DagsterInstance, home: Home
) -> None:
    drop(home.history_landing)
    request = asked(instance)
    assert request.job_name == "full_refresh"
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == ("2024-05-02", "2024-05-20")


def test_files_of_both_kinds_are_one_full_refresh_over_the_range_of_all(instance: DagsterInstance, home: Home) -> None:
    drop(home.history_landing, "history.csv")
    drop(home.landing, "monday.csv", ROWS.replace("u1", "u3"))
    request = asked(instance)
    assert request.job_name == "full_refresh"
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == ("2024-05-02", "2024-06-01")


def test_another_set_of_files_is_another_run(instance: DagsterInstance, home: Home) -> None:
    drop(home.landing)
    first = asked(instance)
    drop(home.landing, "tuesday.csv", ROWS.replace("u1", "u3"))
    assert asked(instance).run_key != first.run_key


def test_a_backlog_is_taken_in_order_one_batch_a_run(
    instance: DagsterInstance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "BATCH_FILES", 2)
    files = [drop(home.landing, f"day-{day}.csv", ROWS.replace("u1", f"x{day}")) for day in (9, 10, 11)]
    first = asked(instance)
    looked_at = [Ledger(home).expected(fingerprint_of(file)) is not None for file in files]
    assert looked_at == [True, True, False]
    for file in files[:2]:
        accept(LandingFile(file, "live"))
    second = asked(instance)
    assert second.tags[FILES_TAG] != first.tags[FILES_TAG]
    assert Ledger(home).expected(fingerprint_of(files[2])) is not None


def test_a_tick_stops_looking_in_time_and_the_next_one_goes_on(
    instance: DagsterInstance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(3):
        drop(home.landing, f"day-{day}.csv", ROWS.replace("u1", f"x{day}"))
    monkeypatch.setattr(automation, "LOOK_SECONDS", 0.0)
    assert str(tick(instance)) == "Looked at 1 of 3 files; the next tick goes on."
    assert len(Ledger(home).expectations()) == 1
    monkeypatch.setattr(automation, "LOOK_SECONDS", 20.0)
    assert asked(instance).job_name == "daily_refresh"
    assert len(Ledger(home).expectations()) == 3


def test_a_bad_file_is_moved_aside_with_its_error_and_the_good_ones_go_on(
    instance: DagsterInstance, home: Home
) -> None:
    good = drop(home.landing, "good.csv")
    bad = drop(home.landing, "bad.csv", "who,time,type\nu1,2024-05-02 10:00:00,purchase\n")
    request = asked(instance)
    assert request.job_name == "daily_refresh"
    assert good.exists()
    assert not bad.exists()
    assert (home.rejected / "bad.csv").read_text(encoding="utf-8").startswith("who,")
    told = (home.rejected / "bad.csv.error.txt").read_text(encoding="utf-8")
    assert "user" in told
    assert "who" in told
    assert asked(instance).tags == request.tags


def test_a_bad_file_alone_starts_nothing(instance: DagsterInstance, home: Home) -> None:
    drop(home.landing, "empty.csv", "")
    assert str(tick(instance)).startswith("No complete file waits")
    assert {path.name for path in home.rejected.iterdir()} == {"empty.csv", "empty.csv.error.txt"}


@pytest.mark.parametrize(
    "status",
    [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED],
)
def test_while_a_run_is_in_progress_files_wait_unseen(
    instance: DagsterInstance, home: Home, status: DagsterRunStatus
) -> None:
    drop(home.landing)
    instance.add_run(DagsterRun(job_name="full_refresh", status=status))
    assert str(tick(instance)).startswith("A run is in progress")
    assert Ledger(home).first_expected_day() is None


@pytest.mark.parametrize("status", [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED])
def test_a_finished_run_holds_nothing_up(instance: DagsterInstance, home: Home, status: DagsterRunStatus) -> None:
    drop(home.landing)
    instance.add_run(DagsterRun(job_name="full_refresh", status=status))
    assert asked(instance).job_name == "daily_refresh"


def test_a_run_whose_process_was_killed_holds_nothing_up(instance: DagsterInstance, home: Home) -> None:
    drop(home.landing)
    run = instance.add_run(DagsterRun(job_name="full_refresh", status=DagsterRunStatus.STARTED))
    with lock_held_by(run.run_id, home.lock_file):
        assert str(tick(instance)).startswith("A run is in progress")
    assert asked(instance).job_name == "daily_refresh"
    left = instance.get_run_by_id(run.run_id)
    assert left is not None
    assert left.status == DagsterRunStatus.FAILURE


def test_a_file_is_tried_three_times_alone_and_then_moved_aside(instance: DagsterInstance, home: Home) -> None:
    path = drop(home.landing)
    keys = []
    for _ in range(ATTEMPTS):
        request = asked(instance)
        keys.append(request.run_key)
        run_of(request, instance, DagsterRunStatus.FAILURE)
    assert len(set(keys)) == ATTEMPTS == 3
    assert request.tags[ONLY_FILE] == "monday.csv"
    assert "monday.csv was moved to" in str(tick(instance))
    assert not path.exists()
    (latest,) = instance.get_run_records(limit=1)
    assert f"the latest is run {latest.dagster_run.run_id}" in (home.rejected / "monday.csv.error.txt").read_text()
    assert tick(instance) == f"No complete file waits in {home.landing}."
    drop(home.landing)
    assert asked(instance).run_key not in keys


def test_a_batch_that_no_run_brings_through_holds_up_neither_the_scores_nor_the_files_behind(
    instance: DagsterInstance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "BATCH_FILES", 2)
    first, *_ = [drop(home.landing, f"day-{day}.csv", ROWS.replace("u1", f"x{day}")) for day in (8, 9, 10)]
    landed_live(home, "night", date(2024, 5, 30))
    tried = []
    while isinstance(request := tick(instance), dg.RunRequest):
        tried.append((request.tags[RANGE_END], request.tags.get(ONLY_FILE)))
        run_of(request, instance, DagsterRunStatus.FAILURE)
    whole, landed, alone = ("2024-06-01", None), ("2024-05-30", NO_FILE), ("2024-06-01", "day-8.csv")
    assert tried == [*[whole] * ATTEMPTS, *[landed] * ATTEMPTS, *[alone] * ATTEMPTS]
    assert not first.exists()
    assert asked(instance).tags.get(ONLY_FILE) is None
    assert [file.path.name for file in waiting(home)] == ["day-9.csv", "day-10.csv"]


def test_a_run_for_one_file_takes_no_other_and_clears_what_killed_looks_left(
    instance: DagsterInstance, home: Home
) -> None:
    drop(home.landing, "day-8.csv")
    drop(home.landing, "day-9.csv", ROWS.replace("u1", "u3"))
    history = drop(home.history_landing, "day-9.csv", ROWS.replace("u1", "u4"))
    assert complete(home, NO_FILE) == []
    assert complete(home, "history/day-9.csv") == [LandingFile(history, "history")]
    shop, (raw_events,) = Shop(home_folder=str(home.root)), defs().assets or []
    assert isinstance(raw_events, dg.AssetsDefinition)
    left, in_use = home.lake / ".look-killed", home.lake / ".look-now"
    for folder in (left, in_use):
        folder.mkdir()
    os.utime(left, (time.time() - 2 * 86400,) * 2)
    tags = {ONLY_FILE: "day-9.csv", **range_tags(NOW.date(), NOW.date())}
    assert dg.materialize([raw_events], resources={"shop": shop}, instance=instance, tags=tags).success
    assert [file.path for file in waiting(home)] == [history, home.landing / "day-8.csv"]
    assert (left.exists(), in_use.exists()) == (False, True)


def test_a_file_that_is_still_being_written_waits(
    instance: DagsterInstance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(home.landing)
    monkeypatch.setattr(automation, "SETTLE_SECONDS", 60.0)
    assert str(tick(instance)).startswith("No complete file waits")
    monkeypatch.setattr(automation, "SETTLE_SECONDS", 0.0)
    assert asked(instance).job_name == "daily_refresh"


def test_unfinished_names_are_not_looked_at(instance: DagsterInstance, home: Home) -> None:
    for name in (".monday.csv", "monday.csv.part", "monday.csv.tmp"):
        drop(home.landing, name)
    assert str(tick(instance)).startswith("No complete file waits")
    assert len(list(home.landing.glob("*monday*"))) + len(list(home.landing.glob(".monday*"))) >= 3


def test_what_has_landed_but_is_in_no_published_file_starts_a_refresh(instance: DagsterInstance, home: Home) -> None:
    landed_history(home, "loaded", [date(2025, 5, 1), date(2025, 5, 2)])
    request = asked(instance)
    assert request.job_name == "daily_refresh"
    assert {request.tags[RANGE_START], request.tags[RANGE_END]} == {"2025-05-02"}
    instance.report_runless_asset_event(
        dg.AssetMaterialization("published", metadata={LAKE_STATE: Ledger(home).state()})
    )
    assert tick(instance) == f"No complete file waits in {home.landing}."
    landed_live(home, "night", date(2025, 5, 4))
    assert asked(instance).tags[RANGE_START] == "2025-05-04"


def test_a_restatement_whose_command_was_killed_before_its_refresh_gets_one(
    instance: DagsterInstance, home: Home, tmp_path: Path
) -> None:
    mapping = read_mapping(home.mapping_file)
    ingest(drop(tmp_path, "wrong.csv"), "live", mapping, home, "UTC", NOW)
    instance.report_runless_asset_event(
        dg.AssetMaterialization("published", metadata={LAKE_STATE: Ledger(home).state()})
    )
    assert tick(instance) == f"No complete file waits in {home.landing}."
    corrected = drop(tmp_path, "right.csv", ROWS.replace("u1", "u9"))
    restate(corrected, "wrong.csv", Decision("Ada", "wrong customer", NOW), mapping, home, "UTC")
    request = asked(instance)
    assert (request.job_name, request.tags[RANGE_END]) == ("daily_refresh", "2024-06-01")
