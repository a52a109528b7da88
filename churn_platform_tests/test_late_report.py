"""`churn late` in a home that lacks what it compares."""

from pathlib import Path

import pytest

from churn_platform.errors import UsageError
from churn_platform.late_report import report_late_rows
from churn_platform.settings import Home


def test_a_home_without_its_warehouse_is_told_what_to_do(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").create()
    with pytest.raises(UsageError, match="published no scores yet"):
        report_late_rows(home)
    home.published_file.parent.mkdir(parents=True, exist_ok=True)
    home.published_file.touch()
    with pytest.raises(UsageError, match=r"warehouse\.duckdb does not exist.*Restore it.*'churn run'"):
        report_late_rows(home)
