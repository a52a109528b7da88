"""An empty home that CHURN_HOME points to, and the shop in it."""

from pathlib import Path

import pytest

from churn_platform.orchestration.shop import Shop
from churn_platform.settings import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    created = Home(tmp_path / "home").create()
    monkeypatch.setenv("CHURN_HOME", str(created.root))
    return created


@pytest.fixture
def shop(home: Home) -> Shop:
    return Shop(home_folder=str(home.root))
