"""What a person clicks in the UI."""

import re
from datetime import date
from fnmatch import fnmatchcase

from playwright.sync_api import Page, ViewportSize, expect

from churn_platform_tests.browser.ui_server import RunState, UiServer

# The page draws no box that it has no room for, and a small one without its checks.
LARGE: ViewportSize = {"width": 4200, "height": 12000}
PATIENCE_MS = 30_000


def open_asset(page: Page, server: UiServer, table: str) -> None:
    """Open the page of an asset."""
    page.goto(f"{server.url}/assets/{table}")
    expect(page.get_by_text("Latest materialization")).to_be_visible(timeout=PATIENCE_MS)


def open_stage(page: Page, server: UiServer, group: str) -> None:
    """Open the graph of one stage."""
    page.goto(f"{server.url}/locations/{server.location()}/asset-groups/{group}/lineage")
    expect(page.locator("svg foreignObject").first).to_be_visible(timeout=PATIENCE_MS)


def open_check(page: Page, server: UiServer, table: str, check: str) -> None:
    """Open the page of one check of an asset."""
    page.goto(f"{server.url}/assets/{table}?view=checks&checkDetail={check}")
    expect(page.get_by_text("Latest execution")).to_be_visible(timeout=PATIENCE_MS)


def materialise(page: Page, server: UiServer, day: date | None = None) -> RunState:
    """Click 'Materialize' on the open page, choose the arrival day if one is asked for, and wait for the run's end."""
    known = {run.run_id for run in server.runs()}
    page.locator("button").filter(has_text=re.compile("^Materialize")).first.click()
    if day is not None:
        dialog = page.get_by_role("dialog")
        box = dialog.locator("input:not([type=checkbox])").first
        box.fill(day.isoformat())
        box.press("Enter")
        expect(dialog.get_by_text("1 partition", exact=True)).to_be_visible(timeout=PATIENCE_MS)
        dialog.locator("button").filter(has_text="Launch 1 run").click()
    return server.finished(server.new_run(known).run_id)


def shown_boxes(page: Page, names: set[str]) -> set[str]:
    """Those of the names that stand on a box of the open graph; a small box shortens 'a_long_name' to 'a_l…_name'."""
    texts = {text for text in page.locator("svg foreignObject *").all_text_contents() if text.strip("… ")}
    patterns = {text.replace("…", "*") for text in texts}
    return {name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)}
