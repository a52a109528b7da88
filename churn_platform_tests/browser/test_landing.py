"""A delivery dropped into landing/ becomes today's scores by itself, once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from playwright.sync_api import Page, expect

from churn_platform.lake.ledger import Ledger
from churn_platform.settings import Home
from churn_platform_tests.browser.clicking import PATIENCE_MS
from churn_platform_tests.browser.ui_server import FINISHED, RunState, UiServer

pytestmark = pytest.mark.browser

TICKS = """
query ($sensor: SensorSelector!) {
  sensorOrError(sensorSelector: $sensor) {... on Sensor {sensorState {ticks(limit: 3) {timestamp status}}}}
}
"""


def write_delivery(home: Home, events: Path) -> Path:
    """Put a CSV file into landing: the lines of the shop's last three days again, as new events of yesterday."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    late = pl.read_parquet(events).filter(
        (pl.col("occurred_at").dt.date() > yesterday - timedelta(days=3)) & pl.col("customer").is_not_null()
    )
    delivery = late.unique("event_uuid", keep="first", maintain_order=True).with_columns(
        event_uuid=pl.lit("delivered-") + pl.col("event_uuid"),
        order_ref=pl.lit("delivered-") + pl.col("order_ref"),
        occurred_at=pl.lit(yesterday).dt.combine(pl.col("occurred_at").dt.time()),
    )
    unfinished = home.landing / "delivery.csv.part"
    delivery.write_csv(unfinished)
    return unfinished.rename(home.landing / "delivery.csv")


def refreshes(server: UiServer, known: set[str]) -> list[RunState]:
    return [run for run in server.runs() if run.run_id not in known]


def test_a_delivery_becomes_todays_scores_once(server: UiServer, page: Page, screenshots: Path, home: Home) -> None:
    today = datetime.now(UTC).date()
    known = {run.run_id for run in server.runs()}
    file = write_delivery(home, home.root.parent / "source" / "events.parquet")
    run = server.finished(server.new_run(known).run_id)
    assert (run.job, run.status) == ("daily_refresh", "SUCCESS"), server.last_words()
    assert "churn_model" not in run.steps
    assert not file.exists()
    assert (home.accepted / file.name).is_file()
    assert Ledger(home).days()[-1] == today
    with duckdb.connect(str(home.published_file), read_only=True) as connection:
        newest = connection.execute("SELECT max(snapshot_date), count(*) FROM churn_scores_latest").fetchall()[0]
        assert newest[0] == today
        assert newest[1] > 0
    page.goto(f"{server.url}/runs/{run.run_id}")
    expect(page.get_by_text("daily_refresh").first).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_timeout(2500)
    page.screenshot(path=screenshots / "daily_refresh.png")
    two_more_ticks(server)
    assert [run.run_id for run in refreshes(server, known)] == [run.run_id]
    assert run.status in FINISHED


def two_more_ticks(server: UiServer) -> None:
    """Wait until the sensor has looked at landing/ twice more."""
    now = datetime.now(UTC).timestamp()
    repository = server.repository()
    sensor = {
        "sensorName": "landing_sensor",
        "repositoryName": repository["name"],
        "repositoryLocationName": repository["location"]["name"],
    }

    def probe() -> bool:
        ticks = server.ask(TICKS, sensor=sensor)["sensorOrError"]["sensorState"]["ticks"]
        return len([tick for tick in ticks if tick["timestamp"] > now and tick["status"] == "SKIPPED"]) >= 2

    server.until("the sensor has ticked twice more", probe, 90)
