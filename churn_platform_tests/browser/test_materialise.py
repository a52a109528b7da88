"""A person clicks 'Materialize': the run succeeds and its checks turn green."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from churn_platform.contracts.rules import derive_rules
from churn_platform.lake.ledger import Ledger
from churn_platform.settings import Home
from churn_platform.sql.library import default_library
from churn_platform_tests.browser.clicking import PATIENCE_MS, materialise, open_asset
from churn_platform_tests.browser.ui_server import UiServer

pytestmark = pytest.mark.browser


def green_checks(page: Page, server: UiServer, table: str) -> int:
    """The checks that the Checks tab of an asset shows as passed, once it shows results."""
    page.goto(f"{server.url}/assets/{table}?view=checks")
    expect(page.get_by_text("Passed").first).to_be_visible(timeout=PATIENCE_MS)
    checks = server.ask(
        "query ($table: AssetKeyInput!) {assetNodeOrError(assetKey: $table) {... on AssetNode {assetChecksOrError "
        "{... on AssetChecks {checks {executionForLatestMaterialization {status}}}}}}}",
        table={"path": [table]},
    )["assetNodeOrError"]["assetChecksOrError"]["checks"]
    ended = [check["executionForLatestMaterialization"] for check in checks]
    return sum(execution is not None and execution["status"] == "SUCCEEDED" for execution in ended)


def test_an_unpartitioned_table(server: UiServer, page: Page, screenshots: Path) -> None:
    open_asset(page, server, "dim_users")
    run = materialise(page, server)
    assert (run.status, dict(run.steps)) == ("SUCCESS", {"dim_users": "SUCCESS"}), server.last_words()
    rules = derive_rules(default_library().contract("dim_users"))
    assert green_checks(page, server, "dim_users") == len(rules) > 0
    page.screenshot(path=screenshots / "materialised_dim_users.png")


def test_one_arrival_day_of_a_partitioned_table(server: UiServer, page: Page, screenshots: Path, home: Home) -> None:
    day = Ledger(home).days()[-8]
    open_asset(page, server, "user_days")
    run = materialise(page, server, day)
    assert (run.status, dict(run.steps)) == ("SUCCESS", {"user_days": "SUCCESS"}), server.last_words()
    assert run.tags["dagster/partition"] == day.isoformat()
    assert green_checks(page, server, "user_days") == len(derive_rules(default_library().contract("user_days")))
    page.goto(f"{server.url}/assets/user_days?view=partitions&partition={day}")
    expect(page.get_by_text(day.isoformat()).first).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_timeout(1500)
    page.screenshot(path=screenshots / "materialised_one_day.png")
