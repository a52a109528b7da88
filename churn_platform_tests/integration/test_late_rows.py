"""`churn late`: past scores against those that the late rows would have given; nothing of the past moves."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from churn_platform.errors import HomeBusy
from churn_platform.late_report import report_late_rows
from churn_platform.launch import run_job
from churn_platform.settings import Home
from churn_platform.warehouse.lock import WriterLock
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import churn, content, rows

pytestmark = pytest.mark.lifecycle

PAST, TODAY = date(2025, 8, 2), date(2025, 8, 5)
HEADER = (
    "event_uuid,customer,occurred_at,action,sku,department,qty,price,currency,order_ref,session_ref,channel,note,"
    "attributes\n"
)


def purchases(users: list[str], happened: str, name: str) -> str:
    return "".join(
        f"{name}-{user},{user},{happened}T10:00:00Z,purchase,S1,toys,2,19.5,GBP,{name}-{user},,web,,{{}}\n"
        for user in users
    )


def deliver(home: Home, day: date, lines: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_NOW", datetime(day.year, day.month, day.day, 5, tzinfo=UTC).isoformat())
    monkeypatch.setattr("churn_platform.orchestration.arrivals.SETTLE_SECONDS", 0.0)
    (home.landing / f"night-{day}.csv").write_text(HEADER + lines)
    outcome = run_job(home, "daily_refresh", day, day)
    assert outcome.succeeded, outcome.failures


def scores(home: Home, snapshot: date) -> dict[object, float]:
    found = rows(
        home.warehouse_file, f"SELECT user_id, churn_probability FROM churn_scores WHERE snapshot_date = '{snapshot}'"
    )
    return {user: float(str(probability)) for user, probability in found}


def test_nothing_came_late(small_shop: SmallShop) -> None:
    ended = churn("late", home=small_shop.home.root)
    assert (ended.code, ended.output.strip()) == (0, "No row came late for a published snapshot.")
    assert pl.read_parquet(small_shop.home.reports / "late_effects.parquet").is_empty()


def test_a_home_without_scores_and_a_busy_one_are_refused(shop_copy: SmallShop, tmp_path: Path) -> None:
    empty = churn("late", home=tmp_path / "empty")
    assert (empty.code, "has published no scores yet" in empty.output) == (2, True)
    with WriterLock(shop_copy.home.lock_file) as lock:
        lock.acquire("a run")
        with pytest.raises(HomeBusy, match="a run"):
            report_late_rows(shop_copy.home)


def test_the_report_gives_the_scores_of_a_home_where_the_rows_came_in_time(
    shop_copy: SmallShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, on_time = shop_copy.home, Home(tmp_path / "on_time")
    scored = sorted(str(user) for user in scores(home, date(2025, 7, 31)))
    late, other = scored[:5], scored[5:8]
    shutil.copytree(home.root, on_time.root)
    usual, forgotten = purchases(other, "2025-08-01", "usual"), purchases([*late, "C99999999"], "2025-07-20", "late")
    deliver(on_time, PAST, usual + forgotten, monkeypatch)
    deliver(home, PAST, usual, monkeypatch)
    deliver(home, TODAY, forgotten, monkeypatch)
    before, published = content(home.warehouse_file), home.published_file.read_bytes()
    summary, file = report_late_rows(home)
    assert content(home.warehouse_file) == before
    assert home.published_file.read_bytes() == published
    found = pl.read_parquet(file).filter(snapshot_date=PAST)
    with_late = dict(zip(found["user_id"], found["probability_with_late_rows"], strict=True))
    expected = scores(on_time, PAST)
    assert with_late == pytest.approx({user: expected[user] for user in [*late, "C99999999"]}, abs=1e-12)
    past = scores(home, PAST)
    told = {user: row for user, *row in found.select("user_id", "published_probability", "difference").iter_rows()}
    assert told.pop("C99999999") == [None, None], "the late row alone makes this customer eligible"
    assert told == {user: [past[user], pytest.approx(expected[user] - past[user], abs=1e-12)] for user in late}
    [effect] = [one for one in summary if one.snapshot == PAST]
    assert (effect.late_rows, effect.customers, effect.not_scored) == (6, 6, 1)
    assert effect.largest_difference == pytest.approx(max(abs(expected[user] - past[user]) for user in late))
    assert (effect.not_reproduced, effect.not_compared) == (0, "")
    assert 0 < effect.moved <= 5
    assert [one.snapshot for one in summary] == [PAST, date(2025, 7, 31)]
    told_by_command(home)


def told_by_command(home: Home) -> None:
    """The same in words; and a snapshot whose model is gone is named, not left out."""
    ended = churn("late", home=home.root)
    assert ended.code == 0, ended.output
    assert str(PAST) in ended.output and "late_effects.parquet" in ended.output
    home.models.rename(home.models.with_name("elsewhere"))
    without = churn("late", home=home.root)
    assert without.code == 0, without.output
    assert f"{PAST}: 6 late rows, not compared: its model" in without.output
