"""The rule of time, through real materialisation: what came later never moves what was known."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest

from churn_platform_tests.integration.shops import content, rows
from churn_platform_tests.integration.tiny_shop import (
    CUTOFF,
    deliver,
    events,
    features,
    labels,
    load_history,
    materialise_snapshot,
    shop,
)


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


@pytest.mark.lifecycle
def test_rows_after_a_snapshot_never_move_its_features(tmp_path: Path) -> None:
    original = shop(tmp_path / "original")
    load_history(original, events())
    expected = features(original, CUTOFF)
    for number, changed in enumerate(mutations(events())):
        home = shop(tmp_path / f"changed-{number}")
        load_history(home, changed)
        assert repr(features(home, CUTOFF)) == repr(expected)
        assert content(home.warehouse_file, only=["user_days"]) != content(original.warehouse_file, only=["user_days"])


@pytest.mark.lifecycle
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


@pytest.mark.lifecycle
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


@pytest.mark.lifecycle
def test_a_row_a_year_late_counts_from_the_day_it_arrives_and_never_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shop(tmp_path / "home")
    load_history(home, events())
    before = features(home, CUTOFF)
    arrives = date(2025, 3, 14)
    year_old = (
        events()
        .head(1)
        .with_columns(id=pl.lit("late"), customer=pl.lit("gone"), at=datetime.combine(date(2024, 3, 5), time(9)))
    )
    deliver(home, year_old, arrives, monkeypatch)
    found = rows(home.warehouse_file, "SELECT event_date, known_date FROM stg_events WHERE event_id = 'late'")
    assert found == [(date(2024, 3, 5), arrives)]
    tenure = "SELECT tenure_days FROM user_features WHERE user_id = 'gone' AND snapshot_date = DATE '{}'"
    assert rows(home.warehouse_file, tenure.format(arrives)) == [((arrives - date(2024, 3, 5)).days,)]
    for _ in range(2):
        assert repr(features(home, CUTOFF)) == repr(before)
        materialise_snapshot(home, CUTOFF)
