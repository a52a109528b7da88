"""A shop of four customers over twelve days, for tests of the rule of time that run the real thing."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest

from churn_platform.lake.landing import place, waiting
from churn_platform.orchestration.arrivals import expect
from churn_platform.orchestration.console import failure_text
from churn_platform.settings import Home, environment
from churn_platform_tests.integration.shops import materialise, rows

FIRST = date(2025, 3, 1)
CUTOFF = date(2025, 3, 8)
TABLES = ["raw_events", "stg_events", "dim_users", "fct_orders", "user_days", "user_features", "churn_labels"]
MAPPING = """
[source]
name = "tiny"
[columns]
event_id = "id"
user_id = "customer"
event_time = "at"
event_type = "what"
item_id = "item"
quantity = "quantity"
unit_price = "price"
order_id = "order_number"
"""
DEFINITION = """
[churn]
lookback_days = 4
horizon_days = 3
training_cadence_days = 2
label_grace_days = 1
"""


def shop(folder: Path) -> Home:
    home = Home(folder).create()
    home.mapping_file.write_text(MAPPING)
    home.definition_file.write_text(DEFINITION)
    return home


def events(days: int = 12) -> pl.DataFrame:
    """Four customers: daily, every third day, once and gone, and one who buys at the very midnight of the cutoff."""
    found: list[tuple[str, datetime, str]] = []
    for offset in range(days):
        noon = datetime.combine(FIRST + timedelta(days=offset), time(12))
        found.append(("daily", noon, "purchase"))
        if offset % 3 == 0:
            found += [("third", noon + timedelta(hours=3), "purchase"), ("third", noon, "view")]
        if offset == 1:
            found += [("gone", noon, "purchase"), ("gone", noon + timedelta(hours=1), "return")]
        if offset == 5:
            found.append(("midnight", noon, "purchase"))
    found.append(("midnight", datetime.combine(CUTOFF, time(0)), "purchase"))
    return pl.DataFrame(
        [
            {
                "id": f"e{number}",
                "customer": user,
                "at": at,
                "what": what,
                "item": f"item-{number % 3}",
                "quantity": -1 if what == "return" else 1 + number % 2,
                "price": 10.0 + number,
                "order_number": f"o{number}",
            }
            for number, (user, at, what) in enumerate(sorted(found))
        ]
    )


def load_history(home: Home, frame: pl.DataFrame, name: str = "history.parquet") -> None:
    source = home.root / name
    frame.write_parquet(source)
    place([source], home)
    run_everything(home)


def run_everything(home: Home) -> None:
    ended = materialise(home, TABLES, *expect(home, waiting(home), environment().current_time()))
    assert ended.success, [failure_text(event) for event in ended.all_events if event.is_step_failure]


def deliver(home: Home, frame: pl.DataFrame, arrives: date, monkeypatch: pytest.MonkeyPatch) -> None:
    """A nightly file that arrives at 05:00 of a day."""
    monkeypatch.setenv("CHURN_NOW", datetime.combine(arrives, time(5), UTC).isoformat())
    frame.write_csv(home.landing / f"night-{arrives}.csv")
    run_everything(home)


def features(home: Home, snapshot: date) -> list[tuple[object, ...]]:
    found = rows(home.warehouse_file, f"FROM user_features WHERE snapshot_date = DATE '{snapshot}' ORDER BY user_id")
    assert found, f"no features of {snapshot}"
    return found


def labels(home: Home, snapshot: date) -> dict[object, object]:
    found = rows(
        home.warehouse_file, f"SELECT user_id, churned FROM churn_labels WHERE snapshot_date = DATE '{snapshot}'"
    )
    return dict(found)  # type: ignore[arg-type]


def materialise_snapshot(home: Home, snapshot: date) -> None:
    """Build one snapshot by hand, as an engineer does through the asset's config."""
    ended = materialise(home, ["user_features"], FIRST, FIRST, rebuild=[snapshot])
    assert ended.success, [failure_text(event) for event in ended.all_events if event.is_step_failure]
