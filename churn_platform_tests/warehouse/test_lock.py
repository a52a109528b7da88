"""The writer lock between real processes."""

import signal
import time
from pathlib import Path

import pytest

from churn_platform.errors import HomeBusy
from churn_platform.warehouse.lock import WriterLock
from churn_platform_tests.orchestration.lock_holder import lock_held_by


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".writer.lock"


def test_a_second_process_is_refused_and_told_who_writes(file: Path) -> None:
    lock = WriterLock(file)
    with lock_held_by("run-1", file):
        with pytest.raises(HomeBusy, match=r"home is being written by run-1\. One home has one writer at a time"):
            lock.acquire("run-2")
        assert lock.last_holder() == "run-1"


def test_a_killed_holder_frees_the_lock_at_once(file: Path) -> None:
    with lock_held_by("run-1", file) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with WriterLock(file) as lock:
            assert lock.last_holder() == "run-1"
            lock.acquire("run-2")
            assert lock.last_holder() == "run-2"
            assert lock.killed_holder == "run-1"
        with WriterLock(file) as later:
            later.acquire("run-3")
            assert later.killed_holder is None


def test_waiting_gets_the_lock_when_its_holder_lets_go(file: Path) -> None:
    with lock_held_by("run-1", file, seconds=0.5) as process, WriterLock(file) as lock:
        lock.acquire("run-2", wait_seconds=30)
        assert process.stdout is not None
        assert process.stdout.readline() == "released\n"
        assert process.poll() is None


def test_waiting_ends_with_a_refusal_when_the_holder_stays(file: Path) -> None:
    with lock_held_by("run-1", file):
        began = time.monotonic()
        with pytest.raises(HomeBusy, match="run-1"):
            WriterLock(file).acquire("run-2", wait_seconds=0.4)
        assert 0.4 <= time.monotonic() - began < 10


def test_a_second_lock_in_the_same_process_is_refused_until_the_first_is_released(file: Path) -> None:
    first, second = WriterLock(file), WriterLock(file)
    first.acquire("a")
    with pytest.raises(HomeBusy, match="written by a"):
        second.acquire("b")
    first.release()
    first.release()
    second.acquire("b")
    assert first.last_holder() == "b"
    second.release()


def write_and_fail(file: Path) -> None:
    with WriterLock(file) as lock:
        lock.acquire("a")
        raise ZeroDivisionError


def test_an_error_in_the_block_gives_the_lock_back(file: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        write_and_fail(file)
    with WriterLock(file) as lock:
        lock.acquire("b")


def test_a_shorter_name_replaces_a_longer_one_whole(file: Path) -> None:
    lock = WriterLock(file)
    for holder in ("a very long name of a run", "b"):
        lock.acquire(holder)
        lock.release()
        assert lock.last_holder() == holder


def test_nobody_is_named_before_the_first_holder(file: Path) -> None:
    assert WriterLock(file).last_holder() is None
    file.parent.mkdir()
    file.touch()
    assert WriterLock(file).last_holder() is None
