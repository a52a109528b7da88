"""One small shop, simulated once and taken through the whole lifecycle once; tests that change it copy it first."""

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import pytest

from churn_platform.settings import Home
from churn_platform.simulator.shop import write_shop
from churn_platform.simulator.shop_settings import ShopSettings
from churn_platform.warehouse.lock import WriterLock
from churn_platform_tests.integration.shops import SHORT_WINDOWS, SIMULATED_MAPPING, Finished, churn

SMALL = ShopSettings(customers=300, first_day=date(2025, 1, 1), last_day=date(2025, 7, 31), seed=11, dirty_share=0.002)
LONGEST_WAIT = 1_800


@dataclass(frozen=True)
class SmallShop:
    """The finished home, the file it was made from, and what the command printed."""

    home: Home
    source: Path
    definition: Path
    run: Finished

    def arguments(self) -> list[str | Path]:
        return arguments(self.source, self.definition)


def arguments(source: Path, definition: Path) -> list[str | Path]:
    """Of the command that makes the shop."""
    return ["run", "--source", source, "--mapping", SIMULATED_MAPPING, "--definition", definition]


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> SmallShop:
    """The first worker that asks for it makes it, the others wait; each then has a copy of its own."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "small_shop"
    source, definition, told = shared / "source" / "events.parquet", shared / "churn.toml", shared / "run.json"
    with WriterLock(shared / "lock") as lock:
        lock.acquire(worker_id, wait_seconds=LONGEST_WAIT)
        if not told.exists():
            write_shop(SMALL, source.parent)
            definition.write_text(SHORT_WINDOWS)
            ended = churn(*arguments(source, definition), home=shared / "home")
            told.write_text(json.dumps(asdict(ended)))
    home = Home(tmp_path_factory.mktemp("own") / "home")
    shutil.copytree(shared / "home", home.root)
    return SmallShop(home, source, definition, Finished(**json.loads(told.read_text())))


@pytest.fixture
def shop_copy(small_shop: SmallShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallShop:
    """The finished small shop in a folder of its own, free to be broken."""
    home = Home(tmp_path / "home")
    shutil.copytree(small_shop.home.root, home.root)
    monkeypatch.setenv("CHURN_HOME", str(home.root))
    monkeypatch.setenv("DAGSTER_HOME", str(home.dagster))
    return SmallShop(home, small_shop.source, small_shop.definition, small_shop.run)
