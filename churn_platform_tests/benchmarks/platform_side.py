"""The platform's side of `make bench`, in a process of its own: a history file through the assets of a real run."""

import json
import shutil
import sys
from pathlib import Path

import dagster as dg
from dagster import DagsterEventType

import churn_platform.datasets
from churn_platform.contracts.contract import Contract
from churn_platform.definitions import defs
from churn_platform.lake.landing import LandingFile, place
from churn_platform.launch import open_instance
from churn_platform.lifecycle import adopt
from churn_platform.orchestration.arrivals import expect
from churn_platform.orchestration.partitions import range_tags
from churn_platform.settings import Home, environment
from churn_platform_tests.benchmarks.processes import peak_gib

CONFIGURATION = Path(churn_platform.datasets.__file__).parent
from churn_platform.orchestration.feature_tables import feature_tables
FEATURES = dg.AssetSelection.assets("training_set", *feature_tables()).upstream()


def run(home: Home, source: Path) -> dict:
    adopt(home, CONFIGURATION / "simulated_shop.toml", CONFIGURATION / "simulated_shop_churn.toml")
    with open_instance(home) as instance:
        placed = home.landing / "history" / source.name
        placed.parent.mkdir(parents=True, exist_ok=True)
        placed.hardlink_to(source)
        first, last = expect(home, [LandingFile(placed, "history")], environment().current_time())
        definitions = defs()
        job = definitions.resolve_job_def("full_refresh")
        keys = FEATURES.resolve(definitions.resolve_all_asset_specs()) if False else None
        graph = definitions.resolve_asset_graph()
        keys = FEATURES.resolve(graph)
        import time
        b = time.perf_counter()
        result = job.execute_in_process(instance=instance, asset_selection=list(keys), tags=range_tags(first, last), raise_on_error=True,
            run_config={"loggers": {"step_lines": {"config": {}}}})
        print("total", time.perf_counter() - b)
    began, seconds = {}, {}
    for event in result.all_events:
        pass
    with open_instance(home) as instance:
        for record in instance.all_logs(result.run_id):
            if record.dagster_event_type == DagsterEventType.STEP_START:
                began[record.step_key] = record.timestamp
            if record.dagster_event_type == DagsterEventType.STEP_SUCCESS:
                seconds[record.step_key] = record.timestamp - began[record.step_key]
    for k, v in seconds.items(): print(f"{k:30s} {v:8.2f}")
    print("sum", sum(seconds.values()), "peak", peak_gib())


def main() -> None:
    source, home = sys.argv[1:]
    import great_expectations, pandas
    from churn_platform.contracts.duckdb_execution import _datasource_type
    run(Home(Path(home)), Path(source))


if __name__ == "__main__":
    main()
