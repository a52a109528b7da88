"""The small library of a test."""

from pathlib import Path

import pytest

from churn_platform_tests.sql.small_library import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)
