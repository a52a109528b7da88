"""A real process that holds a home's writer lock."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOLD = """
import sys, time
from pathlib import Path
from churn_platform.warehouse.lock import WriterLock

lock = WriterLock(Path(sys.argv[1]))
lock.acquire(sys.argv[2])
print("held", flush=True)
time.sleep(float(sys.argv[3]))
lock.release()
print("released", flush=True)
sys.stdin.readline()
"""


@contextmanager
def lock_held_by(holder: str, lock_file: Path, *, seconds: float = 60) -> Iterator[subprocess.Popen[str]]:
    """A process that has the lock when the block begins and keeps it for `seconds`; it lives until the block ends."""
    command = [sys.executable, "-c", HOLD, str(lock_file), holder, str(seconds)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()
