"""The reports in Chromium, offline: no request, no complaint, every plot drawn."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from churn_platform.core.acceptance import TARGETS
from churn_platform.registry.registry import ModelRegistry
from churn_platform.reports import challenger, definition_lab, segments, survival
from churn_platform.reports.feature_quality import PAGE
from churn_platform.reports.model_report import ACCEPTANCE, PRESENTATION
from churn_platform.settings import Home
from churn_platform_tests.browser.offline import opened_offline

pytestmark = pytest.mark.browser

DRAWN = "images => images.map(image => [image.alt, image.complete, image.naturalWidth])"


def address_of(home: Home, name: str) -> str:
    champion = ModelRegistry(home.registry_file).champion()
    folder = home.reports / "models" / str(champion) if name in (PRESENTATION, ACCEPTANCE) else home.reports
    return (folder / name).as_uri()


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        (PAGE, "Feature quality"),
        (definition_lab.PAGE, "Churn definition"),
        (segments.PAGE, "Segments"),
        (survival.PAGE, "Survival view"),
        (challenger.PAGE, "Challenger"),
        (PRESENTATION, "Model presentation"),
        (ACCEPTANCE, "Model acceptance"),
    ],
)
def test_the_page_opens_without_a_network_and_nothing_sticks_out(
    browser: Browser, home: Home, screenshots: Path, name: str, heading: str
) -> None:
    with opened_offline(browser, address_of(home, name)) as tab:
        expect(tab.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        drawn = tab.locator("img").evaluate_all(DRAWN)
        if name == survival.PAGE:
            assert len(drawn) >= 1  # one of the curves, and one for each horizon tested so far
        else:
            assert len(drawn) == (12 if name == PRESENTATION else 0)
        assert all(complete and width > 100 for _, complete, width in drawn), drawn
        tab.screenshot(path=screenshots / f"{Path(name).stem}.png", full_page=True)
        if name == ACCEPTANCE:
            assert tab.locator("tr[data-target]").count() == len(TARGETS)
            expect(tab.get_by_role("status")).to_contain_text("Accepted")
        if name == PAGE:
            assert tab.locator("tr[data-feature]").count() > 100
        if name == definition_lab.PAGE:
            assert tab.locator("tr[data-horizon]").count() > 3
        if name == segments.PAGE:
            assert tab.locator("tr[data-segment]").count() >= 1
