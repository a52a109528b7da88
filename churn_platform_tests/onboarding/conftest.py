"""A folder of files, taken through `churn init` and landed by what it wrote."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from churn_platform.lake.ingest import ingest
from churn_platform.lake.mapping import Mapping, read_mapping
from churn_platform.onboarding.initialise import Written, initialise
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import events

NOW = datetime(2025, 6, 1, tzinfo=UTC)
SHOWN = "user_id, event_time, event_type, quantity, unit_price, amount"


@dataclass(frozen=True)
class Initialised:
    """What init wrote, and the home into which the files landed through it."""

    written: Written
    mapping: Mapping
    home: Home

    def landed(self, columns: str = SHOWN) -> list[tuple[object, ...]]:
        return events(self.home, columns)


Init = Callable[..., Initialised]


@pytest.fixture
def init(tmp_path: Path) -> Init:
    """Run init on files and land them with the mapping it wrote, unchanged."""

    def runner(*files: Path, land_first: Sequence[Path] = ()) -> Initialised:
        home = Home(tmp_path / "home").create()
        sources = [str(file) for file in files]
        written = initialise(sources, home.root, NOW, force=False, tell=lambda told: None)
        mapping = read_mapping(home.mapping_file)
        for file in [*land_first, *(file for file in files if file not in land_first)]:
            ingest(file, "history", mapping, home, "UTC", NOW)
        return Initialised(written, mapping, home)

    return runner
