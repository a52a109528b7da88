"""`churn compare`: what another churn.toml would change, for a person to read and kept in `reports/`."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from churn_platform.core.definition_comparison import STATUSES
from churn_platform.errors import UsageError
from churn_platform.lake.mapping import read_mapping
from churn_platform.launch import open_instance
from churn_platform.orchestration.definition_comparison import compare_definitions
from churn_platform.orchestration.shop import Shop
from churn_platform.reports.definition_comparison import ComparisonReport, write_report
from churn_platform.settings import Home, ProductDefinition, read_definition
from churn_platform.warehouse.connection import table_exists
from churn_platform.warehouse.lock import WriterLock
from churn_platform.whole_file import written_whole

FILE = "definition_comparison.parquet"


def compare_with(home: Home, definition: Path) -> ComparisonReport:
    """Compare the home's definition with that of a file; write `reports/definition_comparison.html` and `.parquet`.

    Nothing else is written. Raises as `compare_definitions`, and UsageError if nothing has been built yet or the file
    is no product definition.
    """
    other = read_definition(definition)
    if not home.warehouse_file.exists():
        raise UsageError(f"Nothing has been built in {home.root} yet. Run 'churn run' first, or name another --home.")
    shop = Shop(home_folder=str(home.root))
    with open_instance(home), WriterLock(home.lock_file) as lock:
        lock.acquire("churn compare")
        with shop.warehouse() as connection:
            if not table_exists(connection, "stg_events"):
                raise UsageError(f"{home.root} has no staged events yet. Run 'churn run' for it first.")
            comparison, differing = compare_definitions(shop, connection, other)
    file = home.reports / FILE
    with written_whole(file) as draft:
        differing.write_parquet(draft)
    report = ComparisonReport(
        source=read_mapping(home.mapping_file).source.name,
        current=_told(shop.definition),
        other=_told(other),
        comparison=comparison,
        file=file,
        made_at=shop.now(),
    )
    write_report(report, home.reports)
    return report


def print_comparison(report: ComparisonReport, console: Console) -> None:
    """Both definitions, what they say, and how many customers change."""
    found = report.comparison
    console.print(_sides(report))
    changes = Table("in force ↓ · the other →", *STATUSES)
    for mine in STATUSES:
        changes.add_row(mine, *(f"{found.customers[mine, theirs]:,}" for theirs in STATUSES))
    console.print(changes)
    snapshots = f"{len(found.snapshots)} snapshots, {found.snapshots[0]} to {found.snapshots[-1]}"
    changed = (
        "nobody is eligible by both" if found.other_label is None else f"{found.other_label:.1%} of those eligible"
    )
    tail = "" if found.other_label is None else " by both get another label"
    console.print(f"Over {snapshots}: {changed}{tail}.", highlight=False)
    console.print(f"By customer: {report.file}", markup=False, highlight=False, soft_wrap=True)


def _sides(report: ComparisonReport) -> Table:
    table = Table("", "in force", "the other")
    for name, value in report.current.items():
        table.add_row(name, value, report.other[name])
    sides = (report.comparison.current, report.comparison.other)
    table.add_section()
    table.add_row("eligible, mean", *(f"{side.eligible:,.0f}" for side in sides))
    table.add_row("called churned, mean", *(f"{side.churn_rate:.1%}" for side in sides))
    table.add_row("lowest to highest", *(f"{side.lowest:.1%} to {side.highest:.1%}" for side in sides))
    table.add_row("of these came back", *("–" if side.came_back is None else f"{side.came_back:.1%}" for side in sides))
    return table


def _told(definition: ProductDefinition) -> dict[str, str]:
    churn = definition.churn
    return {
        "version": definition.version,
        "activity": ", ".join(churn.activity),
        "lookback_days": str(churn.lookback_days),
        "lead_days": str(churn.lead_days),
        "horizon_days": str(churn.horizon_days),
    }
