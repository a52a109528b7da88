"""Runs and the UI, started from the command line; everything that Dagster keeps lies inside the home."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
from dagster import DagsterEventType, DagsterInstance

from churn_platform.definitions import defs
from churn_platform.orchestration.console import failure_text
from churn_platform.orchestration.dead_runs import fail_dead_runs
from churn_platform.orchestration.partitions import range_tags
from churn_platform.orchestration.progress import terminal_kept
from churn_platform.settings import REPOSITORY, Home
from churn_platform.whole_file import written_whole


@dataclass(frozen=True)
class RunOutcome:
    """What became of one run.

    Attributes:
        run_id: Dagster's id, to find it in the UI.
        succeeded: every step ended well.
        failures: step → what it said.
        red_checks: checks of severity ERROR that failed, as table.check.
    """

    run_id: str
    succeeded: bool
    failures: Mapping[str, str]
    red_checks: tuple[str, ...]


def prepare(home: Home) -> None:
    """Point this process, and those it starts, at the home and at a DAGSTER_HOME inside it.

    The project's dagster.yaml is copied once; an operator's changes to the copy stay.
    """
    settings = home.create().dagster / "dagster.yaml"
    if not settings.exists():
        with written_whole(settings) as draft:
            shutil.copyfile(REPOSITORY / "dagster.yaml", draft)
    os.environ["CHURN_HOME"] = str(home.root)
    os.environ["DAGSTER_HOME"] = str(home.dagster)


@contextmanager
def open_instance(home: Home) -> Iterator[DagsterInstance]:
    """The home's Dagster instance, with the runs of killed processes marked as failed."""
    prepare(home)
    with DagsterInstance.get() as instance:
        fail_dead_runs(instance, home)
        yield instance


def run_job(home: Home, job_name: str, first: date, last: date) -> RunOutcome:
    """Run a job over the arrival days `first` to `last` in this process."""
    with open_instance(home) as instance, terminal_kept():
        job = defs().resolve_job_def(job_name)
        result = job.execute_in_process(
            instance=instance,
            run_config={"loggers": {"step_lines": {"config": {}}}},
            tags=range_tags(first, last),
            raise_on_error=False,
        )
    return RunOutcome(
        run_id=result.run_id,
        succeeded=result.success,
        failures={event.step_key or "run": failure_text(event) for event in result.all_events if event.is_step_failure},
        red_checks=tuple(_red_checks(result)),
    )


def _red_checks(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    for event in result.all_events:
        if event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed and check.severity == dg.AssetCheckSeverity.ERROR:
                yield f"{check.asset_key.to_user_string()}.{check.check_name}"


def serve_ui(home: Home, port: int) -> None:
    """Replace this process by the Dagster UI and its daemon on 127.0.0.1.

    `dagster dev` serves the code location of workspace.yaml; it never returns.
    """
    with open_instance(home):
        pass
    program = Path(sys.executable).with_name("dagster")
    os.chdir(REPOSITORY)
    os.execv(  # noqa: S606 - the program is this environment's own
        program, ["dagster", "dev", "--workspace", "workspace.yaml", "--host", "127.0.0.1", "--port", str(port)]
    )
