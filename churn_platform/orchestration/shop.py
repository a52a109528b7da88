"""The home of the shop as a Dagster resource; while a run has it, no other process writes to that home."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
from pydantic import Field, PrivateAttr

from churn_platform.core.evaluation import Protocol
from churn_platform.core.scoring import Bands
from churn_platform.core.snapshots import FixedDates, History, SnapshotPlan, Windows, plan_snapshots
from churn_platform.errors import NotEnoughData
from churn_platform.lake.ledger import Ledger
from churn_platform.orchestration.feature_tables import all_features, feature_columns
from churn_platform.registry.registry import ModelRegistry
from churn_platform.registry.store import ModelStore
from churn_platform.settings import Home, ProductDefinition, environment
from churn_platform.sql.parameters import Value
from churn_platform.warehouse.connection import open_database
from churn_platform.warehouse.frames import read_frame
from churn_platform.warehouse.lock import WriterLock

WAIT_FOR_WRITER_SECONDS = 3600.0
# Of DuckDB, which spills beyond it; the process holds about 1 GB more. DuckDB's own default is 80 % of the machine.
MOST_MEMORY = 6 * 10**9
MEMORY_SHARE = 0.6


class Shop(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Files, product definition and warehouse of one CHURN_HOME."""

    home_folder: str = Field(description="CHURN_HOME")
    _lock: WriterLock | None = PrivateAttr(default=None)
    _definition: ProductDefinition | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Wait for the home's writer lock and hold it for the whole run."""
        self._lock = WriterLock(self.home.create().lock_file)
        self._lock.acquire(context.run.run_id if context.run else "no run", wait_seconds=WAIT_FOR_WRITER_SECONDS)
        self._definition = self.home.definition()

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Give the lock back; the kernel does so if the process dies first."""
        if self._lock is not None:
            self._lock.release()

    @property
    def home(self) -> Home:
        return Home(Path(self.home_folder))

    @property
    def definition(self) -> ProductDefinition:
        """As it was when the run started: a change of churn.toml in the middle of a run waits for the next one."""
        return self._definition or self.home.definition()

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.home)

    def now(self) -> datetime:
        """The time of the run, in UTC."""
        return environment().current_time()

    @contextmanager
    def warehouse(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The private warehouse file, open for writing."""
        with open_database(self.home.warehouse_file) as connection:
            connection.execute("SET temp_directory = $folder", {"folder": str(self.home.root / ".spill")})
            connection.execute("SET memory_limit = $limit", {"limit": f"{_memory_limit()}B"})
            yield connection

    @property
    def windows(self) -> Windows:
        return self.definition.churn.windows

    @property
    def history(self) -> History:
        """How far the lake reaches.

        Raises:
            NotEnoughData: nothing has landed yet.
        """
        days, watermark = self.ledger.days(), self.ledger.watermark()
        if not days or watermark is None:
            raise NotEnoughData(
                f"Nothing has landed in {self.home.lake} yet. Drop files into {self.home.landing} or use 'churn run'."
            )
        return History(first_day=days[0], watermark=watermark, history_watermark=self.ledger.history_watermark())

    @property
    def plan(self) -> SnapshotPlan:
        evaluation = self.definition.evaluation
        fixed = FixedDates(evaluation.first_training_snapshot, evaluation.folds)
        return plan_snapshots(self.history, self.windows, fixed)

    def values(self) -> dict[str, Value]:
        """Values of the SQL parameters that do not depend on the partition."""
        definition, plan, history = self.definition, self.plan, self.history
        return {
            "newest_snapshot": plan.newest,
            "training_snapshots": list(plan.examined),
            "maximum_rows": definition.training.maximum_rows,
            "timezone": definition.timezone,
            "activity_types": list(definition.churn.activity),
            "lookback_days": definition.churn.lookback_days,
            "lead_days": definition.churn.lead_days,
            "horizon_days": definition.churn.horizon_days,
            "live_grace_days": definition.churn.label_grace_days,
            "history_watermark": history.history_watermark or history.first_day - timedelta(days=1),
            "definition_version": definition.version,
        }

    def snapshot_values(self, snapshot: date) -> dict[str, Value]:
        """Values of the SQL parameters that a snapshot decides."""
        grace = self.history.grace_period(self.windows.label_end(snapshot), self.windows)
        return {"snapshot_date": snapshot, "label_grace_days": grace.days}

    @property
    def models(self) -> ModelStore:
        return ModelStore(self.home.models)

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry(self.home.registry_file)

    @property
    def features(self) -> list[str]:
        """The columns that a model may use."""
        return [column.name for column in feature_columns()]

    @property
    def bands(self) -> Bands:
        edges = self.definition.scores
        return Bands(medium=edges.medium, high=edges.high, critical=edges.critical)

    @property
    def protocol(self) -> Protocol:
        """How a candidate is tested at each fold."""
        return Protocol(window_days=self.windows.lead + self.windows.horizon, capacity=self.capacity)

    @property
    def capacity(self) -> int:
        """How many customers the budget of one campaign reaches."""
        campaign = self.definition.campaign
        return int(campaign.budget // campaign.contact_cost)

    def training_frame(self, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
        """The training set with its features, ordered by (snapshot_date, user_id).

        It holds the snapshots of `plan.examined`: a model learns from those of `plan.labelled` only.
        """
        return read_frame(
            connection,
            f"SELECT features.*, churned FROM training_set JOIN (FROM {all_features()}) AS features"
            " USING (snapshot_date, user_id) ORDER BY snapshot_date, user_id",
        )

    def snapshot_version(self, code_version: str, through: date) -> str:
        """Hash of code, product definition and the files with events that were known by the end of a day."""
        return self._version(code_version, self.ledger.names_through(through))

    def day_versions(self, code_version: str) -> dict[str, str]:
        """Arrival day → hash of code, product definition and the files that the lake holds of it."""
        files: dict[date, list[str]] = {}
        for landed in self.ledger.landed().values():
            for day in landed.days:
                files.setdefault(day, []).append(landed.name_in_lake)
        return {day.isoformat(): self._version(code_version, sorted(found)) for day, found in files.items()}

    def _version(self, code_version: str, files: list[str]) -> str:
        parts = [code_version, self.definition.version, *files]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _memory_limit() -> int:
    """In bytes."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(min(MOST_MEMORY, MEMORY_SHARE * machine))
