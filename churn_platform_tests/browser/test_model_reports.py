"""The reports in Chromium, offline: no request, no complaint, every plot drawn."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from churn_platform.core.acceptance import TARGETS
from churn_platform.lake.mapping import read_mapping
from churn_platform.registry.registry import ModelRegistry
from churn_platform.reports import challenger, definition_lab, segments, survival
from churn_platform.reports.feature_quality import PAGE
from churn_platform.reports.model_report import ACCEPTANCE, PRESENTATION
from churn_platform.reports.words import words
from churn_platform.settings import Home
from churn_platform_tests.browser.offline import opened_offline
from churn_platform_tests.reports.english_words import english_words

pytestmark = pytest.mark.browser

DRAWN = "images => images.map(image => [image.alt, image.complete, image.naturalWidth])"


def address_of(home: Home, name: str) -> str:
    champion = ModelRegistry(home.registry_file).champion()
    folder = home.reports / "models" / str(champion) if name in (PRESENTATION, ACCEPTANCE) else home.reports
    return (folder / name).as_uri()


def every_plot_is_drawn(tab: Page, name: str) -> None:
    drawn = tab.locator("img").evaluate_all(DRAWN)
    if name == survival.PAGE:
        assert len(drawn) >= 1  # one of the curves, and one for each horizon tested so far
    else:
        assert len(drawn) == (12 if name == PRESENTATION else 0)
    assert all(complete and width > 100 for _, complete, width in drawn), drawn


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
        assert tab.locator("html").get_attribute("lang") == "en"
        expect(tab.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        every_plot_is_drawn(tab, name)
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


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        (survival.PAGE, "survival"),
        (challenger.PAGE, "challenger"),
        (PRESENTATION, "presentation"),
        (ACCEPTANCE, "acceptance"),
    ],
)
def test_the_page_is_chinese_throughout(
    browser: Browser, chinese_home: Home, screenshots: Path, name: str, heading: str
) -> None:
    told, source = words("zh"), read_mapping(chinese_home.mapping_file).source.name
    with opened_offline(browser, address_of(chinese_home, name)) as tab:
        assert tab.locator("html").get_attribute("lang") == "zh-CN"
        assert told[heading] in tab.title()
        expect(tab.get_by_role("heading", name=told[heading], exact=True)).to_be_visible()
        headings = tab.locator("h1, h2").all_text_contents()
        assert [text for text in headings if not re.search("[一-鿿]", text)] == []
        assert english_words(tab.content().replace(source, "")) == []
        assert not re.search("[{}\ufffd]", tab.locator("body").inner_text()), (
            "a gap that was not filled, or no character"
        )
        every_plot_is_drawn(tab, name)
        tab.screenshot(path=screenshots / f"{Path(name).stem}_zh.png", full_page=True)
        if name == ACCEPTANCE:
            assert tab.locator("tr[data-target]").count() == len(TARGETS)
            expect(tab.get_by_role("status")).to_contain_text(told["status_signed"])
