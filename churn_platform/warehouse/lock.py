"""One writer per home: an OS lock that the kernel releases when its holder dies."""

import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from churn_platform.errors import HomeBusy


class WriterLock:
    """An exclusive `flock` on a file of the home; the file names its latest holder, and whether it gave the lock back.

    A killed process holds nothing: the lock is free at once, whatever the file says.

    Attributes:
        killed_holder: once the lock is taken, who had it before and died with it; None if it was given back.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.killed_holder: str | None = None
        self._descriptor: int | None = None
        self._holder = ""

    def acquire(self, holder: str, *, wait_seconds: float = 0) -> None:
        """Take the lock for `holder` (a run id or a command), waiting for at most `wait_seconds`.

        Raises:
            HomeBusy: another process still writes to the home after the wait.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    raise HomeBusy(
                        f"{self.path.parent} is being written by {self.last_holder() or 'another process'}. "
                        "One home has one writer at a time: wait until it has finished, or stop it."
                    ) from error
                time.sleep(0.2)
        before = _read(self.path)
        self.killed_holder = str(before["holder"]) if before and not before.get("released") else None
        self._descriptor, self._holder = descriptor, holder
        self._write(descriptor, released=False)

    def release(self) -> None:
        """Give the lock back; the file keeps naming its last holder."""
        if self._descriptor is not None:
            self._write(self._descriptor, released=True)
            os.close(self._descriptor)
            self._descriptor = None

    def last_holder(self) -> str | None:
        """Who took the lock last, whether it still holds it or not."""
        found = _read(self.path)
        return str(found["holder"]) if found else None

    def _write(self, descriptor: int, *, released: bool) -> None:
        record = {"holder": self._holder, "pid": os.getpid(), "released": released}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(record).encode(), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _read(path: Path) -> dict[str, Any] | None:
    """What the file says; None before the first holder, and for the moment in which a holder writes itself into it."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return dict(json.loads(text)) if text else None
