"""What `churn run` shows of a long ingest: a bar with rows per second in a real terminal."""

import os
import pty
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from churn_platform_tests.integration.shops import CHURN

ROWS = 100_000
MAPPING = """
[source]
name = "tiny"
[columns]
user_id = "customer"
event_time = "at"
event_type = "'view'"
"""


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A run over a file of one day, large enough to take a moment; no activity is in it, so that it ends early."""
    folder = tmp_path_factory.mktemp("progress")
    (folder / "mapping.toml").write_text(MAPPING)
    noon = int(datetime(2025, 3, 1, 12, tzinfo=UTC).timestamp())
    lines = (
        f"c{row % 5000},{datetime.fromtimestamp(noon + row // 100, UTC):%Y-%m-%dT%H:%M:%SZ}" for row in range(ROWS)
    )
    (folder / "events.csv").write_text("customer,at\n" + "\n".join(lines) + "\n")
    files = ["--source", folder / "events.csv", "--mapping", folder / "mapping.toml", "--home", folder / "home"]
    return [str(CHURN), "run", *map(str, files)]


def read_all(descriptor: int) -> Iterator[bytes]:
    with suppress(OSError):  # the other end of a terminal closes with an error
        while part := os.read(descriptor, 65536):
            yield part


@pytest.mark.lifecycle
def test_in_a_terminal_a_bar_shows_rows_per_second_and_the_log_stays_readable(command: list[str]) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        shown = b"".join(read_all(ours)).decode()
    os.close(ours)
    assert running.returncode == 1, shown
    bars = re.findall(r"events\.csv [^\r\n]* [\d,]+ rows/s", shown)
    assert bars, shown
    assert re.search(rf"raw_events +events\.csv .*: {ROWS} rows landed, 0 quarantined", shown), shown
    assert shown.index("rows/s") < shown.index(f"{ROWS} rows landed")
