"""The platform's side of `make bench`: a file through the assets of a real run, from its landing to the features.

`python -m … platform_side HOME FILE history|live` lands the file in the home and tells, of every step, its seconds and
those of them spent in the gate. Everything is imported before the run begins.
"""

import sys
import time
from pathlib import Path
from typing import Literal

import dagster as dg
import great_expectations  # noqa: F401 - imported before the clock starts
import pandas  # noqa: F401 - DuckDB loads it at its first parameter
from dagster import DagsterEventType, DagsterInstance

from churn_platform import datasets
from churn_platform.definitions import defs
from churn_platform.lake.landing import LandingFile
from churn_platform.launch import open_instance
from churn_platform.lifecycle import adopt
from churn_platform.orchestration.arrivals import expect
from churn_platform.orchestration.feature_tables import feature_tables
from churn_platform.orchestration.partitions import range_tags
from churn_platform.settings import Home, environment
from churn_platform_tests.benchmarks.processes import tell

CONFIGURATION = Path(datasets.__file__).parent


def main() -> None:
    home, source, mode = Home(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
    adopt(home, CONFIGURATION / "simulated_shop.toml", CONFIGURATION / "simulated_shop_churn.toml")
    with open_instance(home) as instance:
        began = time.perf_counter()
        run = refresh(home, instance, source, "history" if mode == "history" else "live")
        seconds = time.perf_counter() - began
        if not run.success:
            raise SystemExit(f"The refresh failed: {[event.step_key for event in run.get_step_failure_events()]}")
        tell({"seconds": seconds, "steps": steps(run, instance)})


def refresh(
    home: Home, instance: DagsterInstance, source: Path, mode: Literal["history", "live"]
) -> dg.ExecuteInProcessResult:
    """Put a file into landing/ and bring it into the features; of a history load also into the training set."""
    folder = home.landing / "history" if mode == "history" else home.landing
    folder.mkdir(parents=True, exist_ok=True)
    landing = folder / source.name
    landing.hardlink_to(source)
    first, last = expect(home, [LandingFile(landing, mode)], environment().current_time())
    wanted = [*feature_tables(), *(["training_set"] if mode == "history" else [])]
    definitions = defs()
    job = definitions.resolve_job_def("full_refresh" if mode == "history" else "daily_refresh")
    selected = dg.AssetSelection.assets(*wanted).upstream().resolve(definitions.resolve_asset_graph())
    return job.execute_in_process(
        instance=instance,
        asset_selection=sorted(selected),
        tags=range_tags(first, last),
        run_config={"loggers": {"step_lines": {"config": {}}}},
        raise_on_error=False,
    )


def steps(run: dg.ExecuteInProcessResult, instance: DagsterInstance) -> dict[str, dict[str, float]]:
    """Step → seconds, and those of the gate where it has one."""
    began: dict[str, float] = {}
    found: dict[str, dict[str, float]] = {}
    for record in instance.all_logs(run.run_id):
        step = record.step_key or ""
        if record.dagster_event_type == DagsterEventType.STEP_START:
            began[step] = record.timestamp
        elif record.dagster_event_type == DagsterEventType.STEP_SUCCESS:
            found[step] = {"seconds": record.timestamp - began[step], "gate": 0.0}
    for step, figures in found.items():
        if not step.endswith("_rules"):
            metadata = run.asset_materializations_for_node(step)[-1].metadata
            if "seconds to audit" in metadata:
                figures["gate"] = float(str(metadata["seconds to audit"].value))
    return found


if __name__ == "__main__":
    main()
