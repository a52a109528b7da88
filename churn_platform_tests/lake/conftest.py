"""A home, and small files in it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from churn_platform.lake.ingest import FileReport, ingest
from churn_platform.lake.ledger import Mode
from churn_platform.lake.mapping import Mapping
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import ARRIVED, mapping_of


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").create()


@pytest.fixture
def land(home: Home) -> Callable[..., FileReport]:
    """Ingest one file with the usual mapping."""

    def lander(
        path: Path,
        mapping: Mapping | None = None,
        mode: Mode = "history",
        timezone: str = "UTC",
        arrived: datetime = ARRIVED,
    ) -> FileReport:
        return ingest(path, mode, mapping or mapping_of(), home, timezone, arrived)

    return lander
