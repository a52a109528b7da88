"""`make bench`: from a landing file to the training set, beside a bare DuckDB script and a pandas pipeline.

Every side runs in a process of its own, one after the other, and is timed after its imports; making the files is not
timed. A size has three parts: the history (all days but the last), the same tables by the bare script from the lake
that the platform has just written, and the last day's delivery into the features. Then the day's delivery alone, of the
same customers with one and with three times the years.
"""

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from churn_platform.orchestration.shop import Shop
from churn_platform.settings import REPOSITORY, Home
from churn_platform.simulator.shop_settings import ShopSettings
from churn_platform.sql.library import default_library
from churn_platform_tests.benchmarks.files import ShopExport, shop_export
from churn_platform_tests.benchmarks.processes import told_by

FOLDER = REPOSITORY / "build" / "bench"
SIZES = (1, 10, 50, 100)
PANDAS_UP_TO = 10  # million events; at 50 it needs more memory than the machine has
# Twelve training snapshots lie in the 20 months to the simulator's last day, with so many events of a customer.
FIRST_DAY = date(2024, 5, 1)
EVENTS_PER_CUSTOMER = 118
YEARS_CUSTOMERS = 20_000
STAGES = ("raw", "staging", "warehouse", "features")
# What the pandas pipeline computes, and what the platform needs for it.
WINDOWED = (
    "raw_events", "stg_events", "user_days", "dim_users", "fct_orders", "user_features", "churn_labels", "training_set",
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """One size, all sides: `history` and `day` of the platform, `bare` from the platform's lake, `pandas` or None.

    Each has seconds and peak_gib; all but pandas also steps: table → seconds, of which gate.
    """

    million_events: float
    snapshots: int
    history: dict[str, Any]
    bare: dict[str, Any]
    day: dict[str, Any]
    pandas: dict[str, Any] | None

    def seconds(self, side: str, stage: str) -> float:
        """Seconds of a stage's tables on a side, gates included; on the platform of those that the bare script has."""
        steps = getattr(self, side)["steps"]
        return sum(
            figures["seconds"]
            for step, figures in steps.items()
            if stage_of(step) == stage and (stage == "raw" or step in self.bare["steps"])
        )

    def tables(self, side: str) -> float:
        """Seconds of all the tables that the bare script builds and checks."""
        return sum(self.seconds(side, stage) for stage in STAGES[1:])

    def gates(self, side: str) -> float:
        steps = getattr(self, side)["steps"]
        return float(sum(steps[table]["gate"] for table in self.bare["steps"]))

    @property
    def windowed(self) -> float:
        """Seconds of the platform for what the pandas pipeline computes."""
        return float(sum(self.history["steps"][table]["seconds"] for table in WINDOWED))

    @property
    def ratios(self) -> dict[str, float]:
        return {
            "tables_over_bare": self.tables("history") / self.tables("bare"),
            "gates_over_bare": self.gates("history") / self.gates("bare"),
            "gates_share": self.gates("history") / self.tables("history"),
            "day_over_history": self.day["seconds"] / self.history["seconds"],
            **({"pandas_over_platform": self.pandas["seconds"] / self.windowed} if self.pandas else {}),
        }


def stage_of(step: str) -> str:
    if step == "raw_events":
        return "raw"
    contracts = default_library().contracts
    return contracts[step].stage if step in contracts else "checks"


def measure(million_events: float, folder: Path) -> Size:
    """All sides of one size."""
    customers = int(million_events * 1_000_000 // EVENTS_PER_CUSTOMER)
    settings = ShopSettings(customers=customers, first_day=FIRST_DAY)
    export = shop_export(settings, folder / f"{million_events:g}m")
    with fresh_home(folder) as home:
        history = platform(home, export, "history", settings.last_day)
        shop = Shop(home_folder=str(home))
        snapshots, windows = shop.plan.examined, shop.windows
        bare = told_by("bare_side", home, folder / "bare.duckdb", environment={"CHURN_HOME": str(home)})
        day = platform(home, export, "live", settings.last_day)
    other = (
        told_by("pandas_side", export.history, windows.lookback, windows.horizon, *snapshots)
        if million_events <= PANDAS_UP_TO
        else None
    )
    return Size(million_events, len(snapshots), history, bare, day, other)


@contextmanager
def fresh_home(folder: Path) -> Iterator[Path]:
    """An empty home, removed again with all that was written to it."""
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    try:
        yield Home(home).create().root
    finally:
        shutil.rmtree(home, ignore_errors=True)


def platform(home: Path, export: ShopExport, mode: str, last_day: date) -> dict[str, Any]:
    """A delivery arrives early on the morning after its day."""
    now = f"{last_day + timedelta(days=1)}T03:00:00+00:00"
    source = export.history if mode == "history" else export.last_day
    return told_by("platform_side", home, source, mode, environment={"CHURN_HOME": str(home), "CHURN_NOW": now})


def years(folder: Path) -> Iterator[dict[str, Any]]:
    """The day's delivery after one and a half years of history of some customers, and after three times as many."""
    for times in (1, 3):
        settings = ShopSettings(
            customers=YEARS_CUSTOMERS, first_day=date(2025 - 3 * times // 2, 7, 1), existing_share=1
        )
        export = shop_export(settings, folder / f"years-{times}")
        with fresh_home(folder) as home:
            history = platform(home, export, "history", settings.last_day)
            day = platform(home, export, "live", settings.last_day)
        yield {"first_day": str(settings.first_day), "history": history, "day": day}


def stages_table(sizes: Sequence[Size]) -> Table:
    table = Table(title="Seconds by stage, gates included: platform / bare DuckDB script of the same SQL and checks")
    for heading in ("events", "ingest", "staging", "warehouse", "features", "gates", "peak GiB"):
        table.add_column(heading, justify="right")
    for size in sizes:
        pairs = [f"{size.seconds('history', s):.1f} / {size.seconds('bare', s):.1f}" for s in STAGES[1:]]
        table.add_row(
            f"{size.million_events:g} M",
            f"{size.seconds('history', 'raw'):.1f}",
            *pairs,
            f"{size.gates('history'):.1f} / {size.gates('bare'):.1f}",
            f"{size.history['peak_gib']:.1f} / {size.bare['peak_gib']:.1f}",
        )
    return table


def ratios_table(sizes: Sequence[Size]) -> Table:
    table = Table(title="Ratios; 'day' is one more day's delivery into the features, 'whole' the history before it")
    headings = ["events", "snapshots", "tables ÷ bare", "gates ÷ bare", "gates' share", "day", "day ÷ whole", "pandas"]
    for heading in [*headings, "pandas ÷ platform"]:
        table.add_column(heading, justify="right")
    for size in sizes:
        ratios, other = size.ratios, size.pandas
        table.add_row(
            f"{size.million_events:g} M",
            str(size.snapshots),
            f"{ratios['tables_over_bare']:.2f}",
            f"{ratios['gates_over_bare']:.2f}",
            f"{ratios['gates_share']:.1%}",
            f"{size.day['seconds']:.1f} s",
            f"{ratios['day_over_history']:.1%}",
            f"{other['seconds']:.1f} s, {other['peak_gib']:.1f} GiB" if other else "–",
            f"{ratios['pandas_over_platform']:.2f}" if other else "–",
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=float, nargs="+", default=[*SIZES], help="millions of events")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the files and bench.json go")
    parser.add_argument("--no-years", action="store_true", help="leave out the comparison of histories")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    console, sizes = Console(width=140), list[Size]()
    for million_events in given.sizes:
        sizes.append(measure(million_events, given.folder))
        console.print(stages_table(sizes[-1:]), ratios_table(sizes[-1:]))
    told: dict[str, Any] = {"sizes": [{**vars(size), "ratios": size.ratios} for size in sizes]}
    if not given.no_years:
        short, long = years(given.folder)
        told["years"] = {"one": short, "three": long, "day_ratio": long["day"]["seconds"] / short["day"]["seconds"]}
        console.print(
            f"A day's delivery for {YEARS_CUSTOMERS} customers: {short['day']['seconds']:.1f} s after the history since"
            f" {short['first_day']}, {long['day']['seconds']:.1f} s since {long['first_day']}:"
            f" {told['years']['day_ratio']:.2f} times"
        )
    (given.folder / "bench.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    if len(sizes) > 1:
        console.print(stages_table(sizes), ratios_table(sizes))


if __name__ == "__main__":
    main()
