"""A finished home of a small shop, the real UI over it, and a browser."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from churn_platform.settings import REPOSITORY, Home
from churn_platform.simulator.shop import write_shop
from churn_platform.simulator.shop_settings import ShopSettings
from churn_platform_tests.browser.chinese import in_chinese
from churn_platform_tests.browser.ui_server import UiServer

SCREENSHOTS = REPOSITORY / "screenshots"
MAPPING = REPOSITORY / "churn_platform" / "datasets" / "simulated_shop.toml"
HISTORY_DAYS = 210
DEFINITION = """
timezone = "UTC"
auto_accept = true
[churn]
lookback_days = 60
horizon_days = 30
training_cadence_days = 15
[readiness]
minimum_churned = 100
minimum_retained = 100
[targets]
minimum_auc = 0.0
maximum_auc = 1.0
minimum_ks = 0.1
maximum_ece = 1.0
maximum_psi = 1.0
beats_baselines = false
"""
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A shop whose history ends yesterday, taken through the whole lifecycle by `churn run`."""
    folder = tmp_path_factory.mktemp("shop")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    first = yesterday - timedelta(days=HISTORY_DAYS)
    files = write_shop(ShopSettings(customers=150, first_day=first, last_day=yesterday), folder / "source")
    definition = folder / "churn.toml"
    definition.write_text(DEFINITION, encoding="utf-8")
    churn = str(Path(sys.executable).with_name("churn"))
    files_of_run = ["--source", str(files.events), "--mapping", str(MAPPING), "--definition", str(definition)]
    command = [churn, "run", *files_of_run, "--home", str(folder / "home")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, f"churn run ended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return Home(folder / "home")


@pytest.fixture(scope="session")
def chinese_home(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The same home with its reports in Chinese."""
    return in_chinese(home, tmp_path_factory.mktemp("chinese") / "home")


@pytest.fixture(scope="session")
def server(home: Home) -> Iterator[UiServer]:
    """`churn ui` over the home; ended with all its children when the tests are over."""
    running = UiServer(home.root, home.root.parent / "server.log")
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    program = shutil.which("chromium")
    assert program, "Chromium is not installed. On Debian: apt-get install chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh tab, large enough for the graph of a stage; waits give up after 30 seconds."""
    tab = browser.new_page(viewport={"width": 1920, "height": 1400})
    yield tab
    tab.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """The folder for pictures, in the root of the repository; git ignores it."""
    SCREENSHOTS.mkdir(exist_ok=True)
    return SCREENSHOTS
