"""A gate that says no, as a person sees it: a red check, which rows, and nothing changed behind it."""

from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Page, expect

from churn_platform.contracts.rules import derive_rules
from churn_platform.defs.warehouse.assets import PARTITIONED, WHOLE
from churn_platform.lake.ledger import Ledger
from churn_platform.settings import Home
from churn_platform.sql.library import default_library
from churn_platform_tests.browser.clicking import (
    LARGE,
    PATIENCE_MS,
    materialise,
    open_asset,
    open_check,
    open_stage,
)
from churn_platform_tests.browser.damage import BAD_EVENT, content, row_without_user
from churn_platform_tests.browser.ui_server import UiServer

pytestmark = pytest.mark.browser

CHECK = "not_null__user_id"
WAREHOUSE = [*PARTITIONED, *WHOLE]


def test_a_null_key_stops_the_stage_and_shows_its_rows(
    server: UiServer, page: Page, screenshots: Path, home: Home
) -> None:
    day = Ledger(home).days()[-1]
    open_asset(page, server, "stg_events")
    assert materialise(page, server, day).status == "SUCCESS", server.last_words()
    before = {table: content(home, table) for table in WAREHOUSE}
    with row_without_user(home, day):
        open_stage(page, server, "2_warehouse")
        refused = materialise(page, server, day)
        assert (refused.status, dict(refused.steps)) == ("FAILURE", {"stg_events": "FAILURE"}), server.last_words()
        assert {table: content(home, table) for table in WAREHOUSE} == before
        see_the_red_check(page, server, screenshots / "failed_check.png")
        see_the_failed_asset(page, server, screenshots / "failed_asset.png")
        see_the_failed_stage(page, server, screenshots / "failed_stage.png")
    assert quarantined(home, refused.run_id) == [(BAD_EVENT, None, CHECK)]
    open_stage(page, server, "2_warehouse")
    repaired = materialise(page, server, day)
    assert (repaired.status, set(repaired.steps)) == ("SUCCESS", set(WAREHOUSE)), server.last_words()
    assert {table: content(home, table) for table in WAREHOUSE} == before
    open_check(page, server, "stg_events", CHECK)
    expect(page.get_by_text("Passed", exact=True).first).to_be_visible(timeout=PATIENCE_MS)
    assert page.get_by_text("Failed", exact=True).count() == 0


def test_a_null_key_of_an_older_day_shows_as_well(server: UiServer, page: Page, screenshots: Path, home: Home) -> None:
    older, newest = Ledger(home).days()[-9], Ledger(home).days()[-1]
    for day in (older, newest):
        open_asset(page, server, "stg_events")
        assert materialise(page, server, day).status == "SUCCESS", server.last_words()
    with row_without_user(home, older):
        open_asset(page, server, "stg_events")
        assert materialise(page, server, older).status == "FAILURE"
        open_check(page, server, "stg_events", CHECK)
    page.wait_for_timeout(3000)
    page.screenshot(path=screenshots / "failed_check_of_an_older_day.png")
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible(timeout=5000)
    expect(page.get_by_text("Not Evaluated")).to_have_count(0, timeout=5000)


def see_the_red_check(page: Page, server: UiServer, picture: Path) -> None:
    """The check says that it failed, how many rows, the first failing keys, and the query that finds them all."""
    open_check(page, server, "stg_events", CHECK)
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("break the rule 'user_id is never null.'").first).to_be_visible(timeout=PATIENCE_MS)
    body = page.locator("body")
    expect(body).to_contain_text(BAD_EVENT, timeout=PATIENCE_MS)
    expect(body).to_contain_text("SELECT * FROM read_parquet(", timeout=PATIENCE_MS)
    expect(body).to_contain_text(f"WHERE failed_expectation = '{CHECK}'", timeout=PATIENCE_MS)
    page.wait_for_timeout(1000)
    page.screenshot(path=picture)


def see_the_failed_asset(page: Page, server: UiServer, picture: Path) -> None:
    open_asset(page, server, "stg_events")
    expect(page.get_by_text("Failed").first).to_be_visible(timeout=PATIENCE_MS)
    page.screenshot(path=picture)


def see_the_failed_stage(page: Page, server: UiServer, picture: Path) -> None:
    page.set_viewport_size(LARGE)
    open_stage(page, server, "2_warehouse")
    box = page.locator("svg foreignObject").filter(has_text="stg_events").filter(has_text="Asset checks")
    rules = len(derive_rules(default_library().contract("stg_events")))
    expect(box).to_contain_text(f"{rules - 1} / {rules} Passed", timeout=PATIENCE_MS)
    expect(box).to_contain_text("1 failed", timeout=PATIENCE_MS)
    page.screenshot(path=picture)


def quarantined(home: Home, run_id: str) -> list[tuple[str, str | None, str]]:
    file = home.quarantine / "gates" / "stg_events" / f"{run_id}.parquet"
    with duckdb.connect() as connection:
        return connection.execute(
            "SELECT event_id, user_id, failed_expectation FROM read_parquet($file)", {"file": str(file)}
        ).fetchall()
