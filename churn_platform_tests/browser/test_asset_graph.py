"""The graph of the real UI: stages from left to right, and every table of the warehouse in its stage."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from churn_platform.defs.warehouse.assets import PARTITIONED, WHOLE
from churn_platform.sql.library import default_library
from churn_platform_tests.browser.clicking import LARGE, PATIENCE_MS, open_stage, shown_boxes
from churn_platform_tests.browser.ui_server import UiServer

pytestmark = pytest.mark.browser

STAGES = ["1_raw", "2_warehouse", "3_features", "4_model", "5_scores", "6_campaigns", "7_published"]
NOT_TABLES = {"churn_model", "champion_model", "campaign_list", "published"}
# quality_results is written by the gates of all tables, by no asset of its own.
WITHOUT_ASSET = {"quality_results"}


def stages_of(server: UiServer) -> dict[str, set[str]]:
    nodes = server.ask("{assetNodes {groupName assetKey {path}}}")["assetNodes"]
    found: dict[str, set[str]] = {}
    for node in nodes:
        found.setdefault(node["groupName"], set()).add("/".join(node["assetKey"]["path"]))
    return found


def test_closed_stages_stand_from_left_to_right(server: UiServer, page: Page, screenshots: Path) -> None:
    page.goto(f"{server.url}/asset-groups")
    boxes = page.locator("svg foreignObject.group")
    expect(boxes).to_have_count(len(STAGES), timeout=PATIENCE_MS)
    page.wait_for_timeout(2000)
    page.screenshot(path=screenshots / "graph_of_stages.png")
    lefts: dict[str | None, float] = {}
    for box in boxes.all():
        place = box.bounding_box()
        assert place is not None
        lefts[box.locator("[data-tooltip]").first.get_attribute("data-tooltip")] = place["x"]
    assert sorted(lefts, key=lambda stage: lefts[stage]) == STAGES


def test_open_stages_show_every_asset(server: UiServer, page: Page, screenshots: Path) -> None:
    stages = stages_of(server)
    assets = set().union(*stages.values())
    assert assets == (set(default_library().contracts) - WITHOUT_ASSET) | NOT_TABLES
    opened = ",".join(f"global@global:{stage}" for stage in STAGES)
    page.set_viewport_size(LARGE)
    page.goto(f"{server.url}/asset-groups?expanded={opened}")
    expect(page.locator("svg foreignObject").first).to_be_visible(timeout=PATIENCE_MS)
    server.until("the graph shows all assets", lambda: shown_boxes(page, assets) == assets, PATIENCE_MS / 1000)
    page.wait_for_timeout(1500)
    page.screenshot(path=screenshots / "graph_of_assets.png")
    assert shown_boxes(page, set(STAGES)) == set(STAGES)


def test_a_stage_shows_its_own_assets_with_their_checks(server: UiServer, page: Page, screenshots: Path) -> None:
    tables = stages_of(server)["2_warehouse"]
    assert tables == {*PARTITIONED, *WHOLE}
    page.set_viewport_size(LARGE)
    open_stage(page, server, "2_warehouse")
    for table in tables:
        box = page.locator("svg foreignObject").filter(has_text=table).filter(has_text="Asset checks")
        expect(box).to_be_visible(timeout=PATIENCE_MS)
        expect(box).to_contain_text("Passed", timeout=PATIENCE_MS)
    page.screenshot(path=screenshots / "stage_warehouse.png")
