"""One small shop, simulated once and taken through the whole lifecycle once; tests that change it copy it first."""

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from churn_platform.settings import Home
from churn_platform.simulator.shop import write_shop
from churn_platform.simulator.shop_settings import ShopSettings
from churn_platform_tests.integration.shops import SHORT_WINDOWS, SIMULATED_MAPPING, Finished, churn

SMALL = ShopSettings(customers=300, first_day=date(2025, 1, 1), last_day=date(2025, 7, 31), seed=11, dirty_share=0.002)


@dataclass(frozen=True)
class SmallShop:
    """The finished home, the file it was made from, and what the command printed."""

    home: Home
    source: Path
    definition: Path
    run: Finished

    def arguments(self) -> list[str | Path]:
        return ["run", "--source", self.source, "--mapping", SIMULATED_MAPPING, "--definition", self.definition]


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> SmallShop:
    folder = tmp_path_factory.mktemp("small_shop")
    source = write_shop(SMALL, folder / "source").events
    definition = folder / "churn.toml"
    definition.write_text(SHORT_WINDOWS)
    home = Home(folder / "home")
    draft = SmallShop(home, source, definition, Finished(-1, ""))
    return SmallShop(home, source, definition, churn(*draft.arguments(), home=home.root))


@pytest.fixture
def shop_copy(small_shop: SmallShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallShop:
    """The finished small shop in a folder of its own, free to be broken."""
    home = Home(tmp_path / "home")
    shutil.copytree(small_shop.home.root, home.root)
    monkeypatch.setenv("CHURN_HOME", str(home.root))
    monkeypatch.setenv("DAGSTER_HOME", str(home.dagster))
    return SmallShop(home, small_shop.source, small_shop.definition, small_shop.run)
