"""kill -9 in the middle of a run that was started through the UI: the next one completes without repair."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Page, expect

from churn_platform.lake.ledger import Ledger
from churn_platform.orchestration.partitions import range_tags
from churn_platform.settings import Home
from churn_platform_tests.browser.clicking import PATIENCE_MS
from churn_platform_tests.browser.ui_server import UiServer

pytestmark = pytest.mark.browser


RECOVERED = "The process of this run died without finishing it; nothing half-written is visible."


def launch_refresh(server: UiServer, home: Home) -> str:
    days = Ledger(home).days()
    return server.launch("full_refresh", range_tags(days[-2], days[-1]))


def worker_in_the_middle(server: UiServer, home: Home, run_id: str) -> int:
    """Wait until a run has done its first steps and is in another one; the pid that the lock names as its process."""

    def probe() -> int | None:
        steps = server.run(run_id).steps
        done = [step for step, status in steps.items() if status == "SUCCESS"]
        going = [step for step, status in steps.items() if status == "IN_PROGRESS"]
        if len(done) < 2 or not going:
            return None
        holder = json.loads(home.lock_file.read_text(encoding="utf-8"))
        assert holder["holder"] == run_id
        return int(holder["pid"])

    return server.until(f"run {run_id} is in its third step", probe)


@contextmanager
def run_of_the_command_line(home: Home) -> Iterator[None]:
    """Inside: `churn run` over what has landed is going on, as a process that the UI knows nothing of."""
    churn, source = str(Path(sys.executable).with_name("churn")), home.root.parent / "source" / "events.parquet"
    command = [churn, "run", "--source", str(source), "--mapping", str(home.mapping_file), "--home", str(home.root)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def published(home: Home) -> list[tuple[object, ...]]:
    with duckdb.connect(str(home.published_file), read_only=True) as connection:
        return connection.execute("SELECT count(*), max(snapshot_date) FROM churn_scores").fetchall()


def test_a_killed_run_of_the_ui(server: UiServer, page: Page, screenshots: Path, home: Home) -> None:
    before = published(home)
    killed = launch_refresh(server, home)
    os.kill(worker_in_the_middle(server, home, killed), signal.SIGKILL)
    assert server.finished(killed).status == "FAILURE", server.last_words()
    assert published(home) == before
    complete_the_next(server, home)
    assert published(home) == before
    page.goto(f"{server.url}/runs")
    expect(page.get_by_text(killed[:8]).first).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_timeout(1500)
    page.screenshot(path=screenshots / "runs_after_a_kill.png")


def test_a_killed_command_and_a_power_cut(server: UiServer, home: Home) -> None:
    before, known = published(home), {run.run_id for run in server.runs()}
    with run_of_the_command_line(home):
        killed = server.new_run(known).run_id
        os.kill(worker_in_the_middle(server, home, killed), signal.SIGKILL)
    # nobody but the sensor can find out: the process was not the UI's
    assert server.finished(killed).status == "FAILURE", server.last_words()
    assert RECOVERED in server.events(killed)

    cut = launch_refresh(server, home)
    worker_in_the_middle(server, home, cut)
    server.kill()
    assert published(home) == before
    server.start()
    assert server.finished(cut).status == "FAILURE", server.last_words()
    assert RECOVERED in server.events(cut)
    complete_the_next(server, home)
    assert published(home) == before


def complete_the_next(server: UiServer, home: Home) -> None:
    run = server.finished(launch_refresh(server, home))
    assert run.status == "SUCCESS", server.last_words()
    assert set(run.steps.values()) == {"SUCCESS"}
