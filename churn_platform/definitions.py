"""Everything that Dagster sees: the `defs` folder, and one process for all steps of a run."""

from pathlib import Path

import dagster as dg

from churn_platform.orchestration.console import step_lines


@dg.definitions
def defs() -> dg.Definitions:
    """Load `churn_platform/defs`.

    Steps run in the process of their run: DuckDB lets one process write a file and is parallel inside.
    """
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=Path(__file__).parent),
        dg.Definitions(executor=dg.in_process_executor, loggers={"step_lines": step_lines}),
    )
