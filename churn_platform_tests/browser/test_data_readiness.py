"""The data-readiness report in Chromium: readable on its own, and found from the asset in the UI."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from churn_platform.core.data_readiness import RULES
from churn_platform.reports.data_readiness import PAGE
from churn_platform.settings import Home
from churn_platform_tests.browser.clicking import PATIENCE_MS, open_asset
from churn_platform_tests.browser.offline import opened_offline
from churn_platform_tests.browser.ui_server import UiServer

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_page_opens_without_a_network_and_shows_every_rule(
    browser: Browser, home: Home, screenshots: Path, colours: Literal["light", "dark"]
) -> None:
    with opened_offline(browser, (home.reports / PAGE).as_uri(), colours) as tab:
        expect(tab.get_by_role("heading", name="Data readiness")).to_be_visible()
        expect(tab.get_by_role("status")).to_contain_text("Ready")
        for rule in RULES:
            row = tab.locator(f"tr[data-rule={rule}]")
            expect(row).to_be_visible()
            expect(row.locator(".badge")).to_have_text("pass" if row.locator(".advice").count() == 0 else "warn")
        assert tab.locator("svg rect.events").count() > 25
        tab.screenshot(path=screenshots / f"data_readiness_{colours}.png", full_page=True)


def test_the_asset_names_its_report(server: UiServer, page: Page, home: Home, screenshots: Path) -> None:
    open_asset(page, server, "data_readiness")
    expect(page.get_by_text(str(home.reports / PAGE)).first).to_be_visible(timeout=PATIENCE_MS)
    page.screenshot(path=screenshots / "data_readiness_asset.png")
