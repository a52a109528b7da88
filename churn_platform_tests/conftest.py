"""Files for every test; and Hypothesis judges what is computed, not how long a busy machine takes for it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One file that needs the small shop comes first and the others last: no worker waits while another makes it."""
    needing = [item.path for item in items if "small_shop" in getattr(item, "fixturenames", ())]
    if needing:
        items.sort(key=lambda item: 0 if item.path == needing[0] else 2 if item.path in needing else 1)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes | str], Path]:
    """Write a small file and return its path."""

    def writer(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return writer
