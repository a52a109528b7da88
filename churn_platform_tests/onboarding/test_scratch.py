"""The folder in which a mapping is tried: it does not stay, even if the process is killed."""

import signal
import subprocess
import sys
from pathlib import Path

from churn_platform.onboarding.scratch import scratch_folder

KILLED = """
import os, signal, sys
from pathlib import Path
from churn_platform.onboarding.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "copy").write_text("data")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_stays(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        (folder / "copy").write_text("data")
    assert [*tmp_path.iterdir()] == []


def test_what_a_killed_process_left_goes_with_the_next_one(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert ended.returncode == -signal.SIGKILL
    [left] = tmp_path.iterdir()
    with scratch_folder(tmp_path) as folder:
        assert [*tmp_path.iterdir()] == [folder]
        assert folder != left


def test_a_folder_in_use_and_what_is_no_folder_stay(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (tmp_path / ".churn-init-note").write_text("a file")
    (tmp_path / ".churn-init-link").symlink_to(mine)
    with scratch_folder(tmp_path) as first, scratch_folder(tmp_path) as second:
        assert {first, second} < {*tmp_path.iterdir()}
    assert {path.name for path in tmp_path.iterdir()} == {"mine", ".churn-init-note", ".churn-init-link"}
    assert [*mine.iterdir()] == []
