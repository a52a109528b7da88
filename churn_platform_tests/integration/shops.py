"""Small shops for the tests that run the real thing."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import dagster as dg
import duckdb

from churn_platform.definitions import defs
from churn_platform.launch import open_instance
from churn_platform.orchestration.partitions import range_tags
from churn_platform.settings import REPOSITORY, Home

CHURN = Path(sys.executable).with_name("churn")
SIMULATED_MAPPING = REPOSITORY / "churn_platform" / "datasets" / "simulated_shop.toml"

SHORT_WINDOWS = """
auto_accept = true
[churn]
lookback_days = 60
horizon_days = 30
training_cadence_days = 15
[readiness]
minimum_churned = 100
minimum_retained = 100
[targets]
minimum_auc = 0.5
minimum_ks = 0.1
maximum_ece = 0.5
[campaign]
budget = 20.0
"""

# Outside the comparison of two runs: they tell of the runs themselves (design, section 6).
RECORDS = {"quality_results", "model_registry", "build_versions"}


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    output: str


def churn(*arguments: str | Path, home: Path, now: datetime | None = None) -> Finished:
    """Run the command `churn` in a process of its own."""
    environment = {**os.environ, "CHURN_HOME": str(home)} | ({"CHURN_NOW": now.isoformat()} if now else {})
    ended = subprocess.run(
        [CHURN, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return Finished(ended.returncode, ended.stdout)


def materialise(
    home: Home, tables: Sequence[str], first: date, last: date, *, rebuild: Sequence[date] = ()
) -> dg.ExecuteInProcessResult:
    """Materialise some assets for a range of arrival days, as a click in the UI would, but in this process."""
    snapshots = (
        {"ops": {table: {"config": {"rebuild": [str(day) for day in rebuild]}} for table in tables}} if rebuild else {}
    )
    with open_instance(home) as instance:
        return (
            defs()
            .resolve_implicit_global_asset_job_def()
            .execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(table) for table in tables],
                run_config={"loggers": {"step_lines": {"config": {}}}, **snapshots},
                tags=range_tags(first, last),
                raise_on_error=False,
            )
        )


def content(file: Path, *, only: Sequence[str] | None = None) -> dict[str, list[tuple[object, ...]]]:
    """Every table of a DuckDB file, as sorted rows; without the records of the runs."""
    with duckdb.connect(str(file), read_only=True) as connection:
        tables = [str(row[0]) for row in connection.execute("SHOW TABLES").fetchall()]
        return {
            table: sorted(connection.execute(f'FROM "{table}"').fetchall(), key=repr)
            for table in tables
            if (table in only if only else table not in RECORDS)
        }


def rows(file: Path, sql: str) -> list[tuple[object, ...]]:
    """Ask a DuckDB file."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql).fetchall()
