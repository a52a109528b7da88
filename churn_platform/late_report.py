"""`churn late`: what late rows would have done to past scores, for a person to read and kept in `reports/`."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from churn_platform.errors import UsageError
from churn_platform.launch import open_instance
from churn_platform.orchestration.late_effects import SnapshotEffect, late_effects
from churn_platform.orchestration.shop import Shop
from churn_platform.settings import Home
from churn_platform.warehouse.lock import WriterLock
from churn_platform.whole_file import written_whole

FILE = "late_effects.parquet"


def report_late_rows(home: Home) -> tuple[list[SnapshotEffect], Path]:
    """Compare past scores with those that the late rows would have given; write `reports/late_effects.parquet`.

    Nothing else is written: past snapshots, scores and the published file stay as they are.

    Raises:
        UsageError: nothing has been scored yet, or the home has lost its warehouse.
        HomeBusy: a run is at work in this home.
    """
    if not home.published_file.exists():
        raise UsageError(f"{home.root} has published no scores yet. Run 'churn run' first, or name another --home.")
    if not home.warehouse_file.exists():
        raise UsageError(
            f"{home.warehouse_file} does not exist, although scores are published; past scores are compared from it. "
            "Restore it from a backup. 'churn run' builds it anew from the lake, but without the past scores."
        )
    with open_instance(home), WriterLock(home.lock_file) as lock:
        lock.acquire("churn late")
        effects, summary = late_effects(Shop(home_folder=str(home.root)))
    file = home.reports / FILE
    with written_whole(file) as draft:
        effects.write_parquet(draft)
    return summary, file


def print_late_rows(summary: Sequence[SnapshotEffect], file: Path, console: Console) -> None:
    """One line per snapshot with late rows, then what could not be compared."""
    if not summary:
        console.print("No row came late for a published snapshot.")
        return
    table = Table(
        "snapshot", "late rows", "customers", "score differs", "other band", "not scored then", "mean", "largest"
    )
    for effect in summary:
        if not effect.not_compared:
            counts = (effect.late_rows, effect.customers, effect.moved, effect.other_band, effect.not_scored)
            sizes = (f"{effect.mean_difference:.4f}", f"{effect.largest_difference:.4f}")
            table.add_row(str(effect.snapshot), *(f"{count:,}" for count in counts), *sizes)
    console.print(table)
    for effect in summary:
        if effect.not_compared:
            told = f"{effect.snapshot}: {effect.late_rows:,} late rows, not compared: {effect.not_compared}."
            console.print(told, markup=False, highlight=False)
        if effect.not_reproduced:
            told = f"{effect.snapshot}: {effect.not_reproduced:,} published scores differ for another reason too"
            console.print(f"{told} (a restated file, or newer code).", markup=False, highlight=False)
    console.print(f"By customer: {file}", markup=False, highlight=False, soft_wrap=True)
