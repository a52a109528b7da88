"""The files that the benchmarks read: simulated shops of a given number of events."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from churn_platform.simulator.shop import write_shop
from churn_platform.simulator.shop_settings import ShopSettings

# What the simulator gives at its default window of 18 months.
EVENTS_PER_CUSTOMER = 107


@dataclass(frozen=True)
class ShopExport:
    """A shop's export in two deliveries: all days but the last as history, and the last day as a day's delivery."""

    history: Path
    last_day: Path


def source_file(million_events: int, file_format: str, folder: Path) -> Path:
    """The simulated events in a format; made once and kept."""
    made = folder / f"{million_events}m"
    parquet, csv = made / "events.parquet", made / "events.csv"
    if not parquet.exists():
        write_shop(ShopSettings(customers=million_events * 1_000_000 // EVENTS_PER_CUSTOMER), made)
    if file_format == "csv" and not csv.exists():
        _copy(parquet, "true", csv)
    return parquet if file_format == "parquet" else csv


def shop_export(settings: ShopSettings, made: Path) -> ShopExport:
    """A shop's export as Parquet; made once and kept."""
    export = ShopExport(made / "history.parquet", made / f"day-{settings.last_day}.parquet")
    if not export.history.exists():
        whole = made / "events.parquet"
        if not whole.exists():
            write_shop(settings, made)
        _copy(whole, f"occurred_at >= {_midnight(settings.last_day)}", export.last_day)
        _copy(whole, f"occurred_at < {_midnight(settings.last_day)}", export.history)
    return export


def _midnight(day: date) -> str:
    return f"TIMESTAMPTZ '{day} 00:00:00+00'"


def _copy(source: Path, condition: str, target: Path) -> None:
    draft = target.with_suffix(".part")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        connection.execute(
            f"COPY (FROM read_parquet('{source}') WHERE {condition})"
            f" TO '{draft}' (FORMAT {target.suffix.removeprefix('.')})"
        )
    draft.replace(target)
