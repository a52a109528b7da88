"""A backlog of daily files: few runs, every file exactly once, in order, over restarts and a kill -9."""

import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus

from churn_platform.defs import automation
from churn_platform.defs.automation import landing_sensor
from churn_platform.lake.ledger import Ledger
from churn_platform.launch import open_instance, run_job
from churn_platform.orchestration import arrivals
from churn_platform.orchestration.arrivals import BATCH_FILES
from churn_platform.orchestration.partitions import RANGE_END, RANGE_START
from churn_platform.settings import REPOSITORY, Home
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import materialise, rows

pytestmark = pytest.mark.lifecycle

ARRIVAL = datetime(2025, 8, 2, 5, tzinfo=UTC)
HEADER = (
    "event_uuid,customer,occurred_at,action,sku,department,qty,price,currency,order_ref,session_ref,channel,note,"
    "attributes"
)
# A refresh without its slow end: the files into the lake and into staging.
TABLES = ["raw_events", "stg_events"]
CHILD = """
import sys
from datetime import date
from pathlib import Path
from churn_platform.orchestration import arrivals
from churn_platform.settings import Home
from churn_platform_tests.integration.shops import materialise

arrivals.BATCH_FILES = int(sys.argv[2])
first, last, *tables = sys.argv[3:]
materialise(Home(Path(sys.argv[1])), tables, date.fromisoformat(first), date.fromisoformat(last))
"""


def drop_backlog(home: Home, files: int) -> list[str]:
    """One file a day with two purchases, one bad file, and one file twice; returns the names that must land."""
    names = []
    for day in range(1, files + 1):
        bought = "purchase,S1,toys,1,9.5,GBP"
        body = "".join(
            f"late-{day}-{line},C{day:08},2025-08-01T{line + 8:02}:00:00Z,{bought},r{day},,web,,{{}}\n"
            for line in range(2)
        )
        (home.landing / f"day-{day}.csv").write_text(f"{HEADER}\n{body}")
        names.append(f"day-{day}.csv")
    bad = names.pop(files // 2)
    (home.landing / bad).write_text("when,who\n2025-08-01,C1\n")
    (home.landing / "day-7b.csv").write_bytes((home.landing / "day-7.csv").read_bytes())
    return names


def tick(home: Home) -> dg.RunRequest | None:
    """What the sensor asks for, in an instance of its own each time, as after a restart."""
    said = "the next tick goes on"
    while "the next tick goes on" in said:
        with open_instance(home) as instance, dg.build_sensor_context(instance=instance) as context:
            found = landing_sensor(context)
        if isinstance(found, dg.SensorResult) and found.run_requests:
            return found.run_requests[0]
        said = str(found.skip_message) if isinstance(found, dg.SkipReason) else ""
    assert said.startswith("No complete file waits"), said
    return None


def days_of(request: dg.RunRequest) -> tuple[date, date]:
    return date.fromisoformat(request.tags[RANGE_START]), date.fromisoformat(request.tags[RANGE_END])


def killed_once_landed(request: dg.RunRequest, home: Home, more_than: int) -> None:
    """Run a request in a process of its own, and kill that as soon as more files than so many have landed."""
    command = [
        sys.executable,
        "-c",
        CHILD,
        str(home.root),
        str(arrivals.BATCH_FILES),
        *map(str, days_of(request)),
        *TABLES,
    ]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and len(Ledger(home).landed()) <= more_than:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=60) == -signal.SIGKILL


@pytest.mark.parametrize(("files", "batch"), [(24, 3), pytest.param(400, BATCH_FILES, marks=pytest.mark.slow)])
def test_a_backlog_lands_in_order_each_file_once_in_few_runs(
    shop_copy: SmallShop, monkeypatch: pytest.MonkeyPatch, files: int, batch: int
) -> None:
    home = shop_copy.home
    monkeypatch.setattr(arrivals, "BATCH_FILES", batch)
    monkeypatch.setenv("CHURN_NOW", ARRIVAL.isoformat())
    monkeypatch.setattr(automation, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(arrivals, "SETTLE_SECONDS", 0.0)
    before = len(Ledger(home).landed())
    staged = int(str(rows(home.warehouse_file, "SELECT count(*) FROM stg_events")[0][0]))
    names = drop_backlog(home, files)
    runs = 0
    while any(home.landing.glob("*.csv")):
        request = tick(home)
        assert request is not None and request.job_name == "daily_refresh"
        runs += 1
        if runs == 4:
            killed_once_landed(request, home, more_than=before + 3 * batch - 1)
        else:
            assert materialise(home, TABLES, *days_of(request)).success
        assert runs <= 10
    landed = [file.file for file in Ledger(home).landed().values()][before:]
    assert landed == names
    assert "no column" in (home.rejected / f"day-{files // 2 + 1}.csv.error.txt").read_text()
    with open_instance(home) as instance:
        statuses = [record.dagster_run.status for record in instance.get_run_records()]
    assert statuses.count(DagsterRunStatus.FAILURE) == 1
    after = rows(home.warehouse_file, "SELECT count(*), count(DISTINCT event_id) FROM stg_events")
    assert after == [(staged + 2 * len(names),) * 2]
    publish_the_backlog(home, files)


def publish_the_backlog(home: Home, files: int) -> None:
    """What has landed and is in no published file gets the one refresh that the sensor asks for next."""
    request = tick(home)
    assert request is not None
    outcome = run_job(home, str(request.job_name), ARRIVAL.date(), ARRIVAL.date())
    assert outcome.succeeded, outcome.failures
    scored = "SELECT DISTINCT snapshot_date FROM churn_scores_latest"
    assert rows(home.published_file, scored) == [(ARRIVAL.date(),)]
    buyers = f"SELECT count(*) FROM churn_scores_latest WHERE user_id IN ('C{1:08}', 'C{files:08}')"
    assert rows(home.published_file, buyers) == [(2,)]
    assert tick(home) is None
    assert Path(home.accepted / f"day-{files}.csv").is_file()
