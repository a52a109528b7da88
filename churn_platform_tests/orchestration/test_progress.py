"""What a long ingest shows of itself."""

import pty
import subprocess
import sys
from collections.abc import Callable
from os import close, read

import pytest

from churn_platform.orchestration import progress
from churn_platform.orchestration.progress import progress_of

BAR = """
from churn_platform.orchestration.progress import progress_of, terminal_kept
with terminal_kept(), progress_of("orders.csv", print) as report:
    report(250, 1000)
    report(1000, 1000)
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the time that the progress sees to a number of seconds after the start."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] = seconds

    return move


def test_outside_a_terminal_a_line_comes_every_ten_seconds_while_the_file_is_read(
    clock: Callable[[float], None],
) -> None:
    told: list[str] = []
    with progress_of("orders.csv", told.append) as report:
        for seconds, rows in ((1, 100), (10, 1000), (15, 1500), (21, 2100), (40, 4000)):
            clock(seconds)
            report(rows, 4000)
    assert told == [
        "orders.csv: 1,000 of about 4,000 rows read, 100 rows/s",
        "orders.csv: 2,100 of about 4,000 rows read, 100 rows/s",
    ]


def test_in_a_terminal_a_bar_shows_rows_per_second() -> None:
    ours, theirs = pty.openpty()
    ended = subprocess.run([sys.executable, "-c", BAR], stderr=theirs, stdout=subprocess.PIPE, check=True)
    shown = read(ours, 65536).decode()
    close(theirs)
    close(ours)
    assert "orders.csv" in shown and "rows/s" in shown and "100%" in shown
    assert ended.stdout == b""
