"""kill -9 of a run from the command line: the next run completes, and nothing tells that the first one died."""

import os
import signal
import subprocess
from pathlib import Path

import dagster as dg
import pytest

from churn_platform.settings import Home
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import CHURN, churn, content

pytestmark = pytest.mark.lifecycle

# Steps after whose end the run is killed: while the next one is at work.
MOMENTS = ("raw_events", "dim_users", "user_features", "churn_scores")


def kill_after(step: str, arguments: list[str | Path], home: Home) -> int:
    """Start `churn run`, kill it as soon as a step has ended, and return its exit status."""
    environment = {**os.environ, "CHURN_HOME": str(home.root)}
    process = subprocess.Popen(
        [CHURN, *arguments], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if f"  {step} " in line and "done in" in line:
            process.send_signal(signal.SIGKILL)
            break
    process.stderr.close()
    return process.wait(timeout=60)


@pytest.fixture
def fresh(small_shop: SmallShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path / "home")
    monkeypatch.setenv("DAGSTER_HOME", str(home.dagster))
    return home


def test_four_kills_and_a_normal_run_equal_an_undisturbed_one(small_shop: SmallShop, fresh: Home) -> None:
    for step in MOMENTS:
        assert kill_after(step, small_shop.arguments(), fresh) == -signal.SIGKILL, step
    assert not fresh.published_file.exists()
    finished = churn(*small_shop.arguments(), home=fresh.root)
    assert finished.code == 0, finished.output
    assert content(fresh.warehouse_file) == content(small_shop.home.warehouse_file)
    assert content(fresh.published_file) == content(small_shop.home.published_file)
    with dg.DagsterInstance.get() as instance:
        statuses = [record.dagster_run.status for record in instance.get_run_records()]
    assert statuses == [dg.DagsterRunStatus.SUCCESS, *[dg.DagsterRunStatus.FAILURE] * len(MOMENTS)]
