"""A restatement, through real runs: afterwards the home is as if the corrected file had arrived."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from churn_platform.errors import HomeBusy
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import read_mapping
from churn_platform.lake.restating import Decision, restate, touched_days
from churn_platform.launch import run_job
from churn_platform.restatement import restate_file
from churn_platform.settings import Home
from churn_platform.warehouse.lock import WriterLock
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import churn, content, materialise, rows
from churn_platform_tests.integration.tiny_shop import (
    TABLES,
    deliver,
    events,
    features,
    load_history,
    materialise_snapshot,
    shop,
)

pytestmark = pytest.mark.lifecycle

FIRST_LIVE = date(2025, 3, 7)
LATE_TABLES = ["stg_events", "dim_users", "fct_orders", "user_days", "churn_labels"]


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home" / "dagster"))


def happened_on(day: date) -> pl.DataFrame:
    return events().filter(pl.col("at").dt.date() == day)


def live_home(folder: Path, first: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> Home:
    """History until the seventh, `first` as the delivery of the eighth, and two deliveries after it."""
    home = shop(folder)
    load_history(home, events().filter(pl.col("at").dt.date() < FIRST_LIVE))
    deliver(home, first, FIRST_LIVE + timedelta(days=1), monkeypatch)
    for offset in (1, 2):
        day = FIRST_LIVE + timedelta(days=offset)
        deliver(home, happened_on(day), day + timedelta(days=1), monkeypatch)
    return home


def test_a_restated_home_equals_one_where_the_corrected_file_had_arrived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, next_day = happened_on(FIRST_LIVE), happened_on(FIRST_LIVE + timedelta(days=1))
    # prices doubled, a customer who never was, and a row that takes the place of one of the next delivery
    never_was = right.head(1).with_columns(id=pl.lit("never"), customer=pl.lit("nobody"))
    wrong = pl.concat([right.with_columns(price=pl.col("price") * 2), never_was, next_day.head(1)])
    expected = live_home(tmp_path / "expected", right, monkeypatch)
    home = live_home(tmp_path / "restated", wrong, monkeypatch)
    assert content(home.warehouse_file, only=LATE_TABLES) != content(expected.warehouse_file, only=LATE_TABLES)
    name = f"night-{FIRST_LIVE + timedelta(days=1)}.csv"
    corrected = tmp_path / name
    right.write_csv(corrected)
    decision = Decision("Ada", "doubled prices", datetime(2025, 3, 11, tzinfo=UTC))
    restate(corrected, name, decision, read_mapping(home.mapping_file), home, "UTC")
    day = date(2025, 3, 10)
    for _ in range(2):
        assert materialise(home, TABLES, day, day).success
        assert content(home.warehouse_file, only=LATE_TABLES) == content(expected.warehouse_file, only=LATE_TABLES)
    assert repr(features(home, day)) == repr(features(expected, day))
    unplanned = FIRST_LIVE + timedelta(days=1)
    assert repr(features(home, unplanned)) != repr(features(expected, unplanned)), "a past snapshot is final"
    materialise_snapshot(home, unplanned)
    assert repr(features(home, unplanned)) == repr(features(expected, unplanned))


def test_restated_history_equals_a_load_of_the_corrected_one(tmp_path: Path) -> None:
    right, tables = events(), ["stg_events", "dim_users", "fct_orders", "user_days"]
    too_early = right.head(1).with_columns(id=pl.lit("early"), at=pl.col("at") - pl.duration(days=1))
    home, expected = shop(tmp_path / "restated"), shop(tmp_path / "expected")
    load_history(home, pl.concat([too_early, right.with_columns(price=pl.col("price") + 1)]))
    load_history(expected, right)
    corrected = tmp_path / "history.parquet"
    right.write_parquet(corrected)
    decision = Decision("Ada", "net prices", datetime(2025, 4, 1, tzinfo=UTC))
    done = restate(corrected, "history.parquet", decision, read_mapping(home.mapping_file), home, "UTC")
    days = touched_days(Ledger(home), done)
    assert materialise(home, TABLES, days[0], days[-1]).success
    assert content(home.warehouse_file, only=tables) == content(expected.warehouse_file, only=tables)
    newest = days[-1]
    assert repr(features(home, newest)) == repr(features(expected, newest))


def test_a_file_of_a_name_that_landed_before_adds_its_rows_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shop(tmp_path / "home")
    load_history(home, events().filter(pl.col("at").dt.date() < FIRST_LIVE))
    said = []
    for day, kept in ((8, 1), (9, 2)):
        monkeypatch.setenv("CHURN_NOW", datetime(2025, 3, day, 5, tzinfo=UTC).isoformat())
        monkeypatch.setattr("churn_platform.orchestration.arrivals.SETTLE_SECONDS", 0.0)
        happened_on(FIRST_LIVE).head(kept).write_csv(home.landing / "night.csv")
        ended = materialise(home, ["raw_events", "stg_events"], date(2025, 3, day), date(2025, 3, day))
        assert ended.success
        [made] = ended.asset_materializations_for_node("raw_events")[-1:]
        said.append(str(made.metadata["names that landed before"].value))
    assert said[0] == "{}"
    assert "churn restate FILE --replaces" in said[1] and "its rows stay" in said[1]
    staged = "SELECT event_id, known_date FROM stg_events WHERE source_file = 'night.csv' ORDER BY known_date"
    assert [row[1] for row in rows(home.warehouse_file, staged)] == [date(2025, 3, 8), date(2025, 3, 9)]


HEADER = (
    "event_uuid,customer,occurred_at,action,sku,department,qty,price,currency,order_ref,session_ref,channel,note,"
    "attributes\n"
)


def night(day: date, customers: int, price: float) -> str:
    return HEADER + "".join(
        f"n-{day}-{number},C{number:08},{day - timedelta(days=1)}T10:00:00Z,purchase,S1,toys,1,{price},GBP,"
        f"n-{day}-{number},,web,,{{}}\n"
        for number in range(customers)
    )


def delivered(home: Home, day: date, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_NOW", datetime(day.year, day.month, day.day, 5, tzinfo=UTC).isoformat())
    monkeypatch.setattr("churn_platform.orchestration.arrivals.SETTLE_SECONDS", 0.0)
    (home.landing / f"night-{day}.csv").write_text(text)
    outcome = run_job(home, "daily_refresh", day, day)
    assert outcome.succeeded, outcome.failures


def scores(home: Home, snapshot: date) -> list[tuple[object, ...]]:
    return rows(home.warehouse_file, f"FROM churn_scores WHERE snapshot_date = DATE '{snapshot}' ORDER BY user_id")


def test_the_command_corrects_a_delivery_refreshes_and_reports(
    shop_copy: SmallShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, past, today = shop_copy.home, date(2025, 8, 2), date(2025, 8, 3)
    delivered(home, past, night(past, 40, 900.0), monkeypatch)
    delivered(home, today, night(today, 10, 9.0), monkeypatch)
    published = scores(home, past)
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(night(past, 50, 9.0))
    arguments = (home, corrected, f"night-{past}.csv")
    said: list[str] = []
    with WriterLock(home.lock_file) as lock:
        lock.acquire("somebody else")
        with pytest.raises(HomeBusy, match="somebody else"):
            restate_file(*arguments, by="Ada", note="pence, not pounds", log=said.append)
    outcome = restate_file(*arguments, by="Ada", note="pence, not pounds", log=said.append)
    assert [run.succeeded for run in outcome.runs] == [True], outcome.runs
    assert outcome.events == {"removed": 0, "added": 10, "changed": 40, "unchanged": 0}
    assert outcome.days == [past]
    assert (outcome.snapshots.rebuilt, outcome.snapshots.stale) == ([str(today)], [str(past)])
    assert outcome.snapshots.published == [str(past)]
    assert scores(home, past) == published
    staged = f"SELECT count(*), max(unit_price) FROM stg_events WHERE known_date = DATE '{past}'"
    assert [(int(str(count)), float(str(price))) for count, price in rows(home.warehouse_file, staged)] == [(50, 9.0)]
    kept = json.loads(outcome.report.read_text())
    assert (kept["by"], kept["note"], kept["events"]) == ("Ada", "pence, not pounds", outcome.events)
    assert (home.accepted / "corrected.csv").is_file() and corrected.is_file()
    again_changes_nothing(home, corrected, f"night-{past}.csv")


def again_changes_nothing(home: Home, corrected: Path, replaces: str) -> None:
    before, ledger = content(home.warehouse_file), home.ledger_file.read_bytes()
    options = ("--replaces", replaces, "--by", "Ada", "--note", "again")
    again = churn("restate", corrected, *options, home=home.root, now=datetime(2025, 8, 4, 9, tzinfo=UTC))
    assert again.code == 0, again.output
    assert "40 changed" in again.output and "scores that stay as published" in again.output
    assert content(home.warehouse_file) == before
    assert home.ledger_file.read_bytes() == ledger
    unknown = churn("restate", corrected, "--replaces", "nigt.csv", *options[2:], home=home.root)
    assert unknown.code == 2
    assert "No file 'nigt.csv' has landed" in unknown.output
