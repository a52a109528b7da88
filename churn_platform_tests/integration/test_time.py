"""The rule of time, through real materialisation: what came later never moves what was known."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest

from churn_platform.lake.landing import place, waiting
from churn_platform.orchestration.arrivals import expect
from churn_platform.orchestration.console import failure_text
from churn_platform.settings import Home, environment
from churn_platform_tests.integration.shops import content, materialise, rows

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


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home" / "dagster"))


def mutations(frame: pl.DataFrame) -> Sequence[pl.DataFrame]:
    later = pl.col("at") >= datetime.combine(CUTOFF, time(0))
    return [
        frame.with_columns(
            price=pl.when(later).then(999.0).otherwise("price"),
            what=pl.when(later).then(pl.lit("view")).otherwise("what"),
        ),
        pl.concat([frame.filter(~later), frame.filter(later).sort("at").tail(1)]),
    ]


def test_rows_after_a_snapshot_never_move_its_features(tmp_path: Path) -> None:
    original = shop(tmp_path / "original")
    load_history(original, events())
    expected = features(original, CUTOFF)
    for number, changed in enumerate(mutations(events())):
        home = shop(tmp_path / f"changed-{number}")
        load_history(home, changed)
        assert repr(features(home, CUTOFF)) == repr(expected)
        assert content(home.warehouse_file, only=["user_days"]) != content(original.warehouse_file, only=["user_days"])


def test_an_event_exactly_at_the_cutoff_is_in_the_label_window_and_not_in_the_features(tmp_path: Path) -> None:
    home = shop(tmp_path / "home")
    load_history(home, events())
    [(orders, recency)] = rows(
        home.warehouse_file,
        "SELECT orders_total, recency_days FROM user_features"
        f" WHERE snapshot_date = '{CUTOFF}' AND user_id = 'midnight'",
    )
    assert (orders, recency) == (1, 2)
    without = shop(tmp_path / "without")
    load_history(
        without,
        events().filter(~((pl.col("customer") == "midnight") & (pl.col("at") >= datetime.combine(CUTOFF, time(0))))),
    )
    assert labels(home, CUTOFF)["midnight"] is False
    assert labels(without, CUTOFF)["midnight"] is True


def test_history_and_nightly_deliveries_of_the_same_events_give_equal_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, day = events(), pl.col("at").dt.date()
    history = shop(tmp_path / "history")
    load_history(history, frame)
    nightly = shop(tmp_path / "nightly")
    first_live = date(2025, 3, 7)
    load_history(nightly, frame.filter(day < first_live))
    for offset in range(5):
        happened = first_live + timedelta(days=offset)
        deliver(nightly, frame.filter(day == happened), happened + timedelta(days=1), monkeypatch)
    for snapshot in (CUTOFF, date(2025, 3, 12)):
        materialise_snapshot(history, snapshot)
        materialise_snapshot(nightly, snapshot)
        assert repr(features(nightly, snapshot)) == repr(features(history, snapshot))


def materialise_snapshot(home: Home, snapshot: date) -> None:
    """Build one snapshot by hand, as an engineer does through the asset's config."""
    ended = materialise(home, ["user_features"], FIRST, FIRST, rebuild=[snapshot])
    assert ended.success, [failure_text(event) for event in ended.all_events if event.is_step_failure]
