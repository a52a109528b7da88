"""Each side of a benchmark runs in a process of its own, and tells its figures as JSON in its last line."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from churn_platform.settings import REPOSITORY


def peak_gib() -> float:
    """The most memory that this process ever held, in GiB.

    VmHWM, since Linux counts ru_maxrss of a process from what its parent held when it began.
    """
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 2**20


def tell(figures: Mapping[str, Any]) -> None:
    """Print the figures of this process, with its peak, as its last line."""
    sys.stdout.write(json.dumps({**figures, "peak_gib": peak_gib()}) + "\n")


def told_by(module: str, *arguments: object, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a module of this package as a process and return what it told.

    Raises:
        RuntimeError: it ended with an error; says what it printed last.
    """
    command = [sys.executable, "-m", f"churn_platform_tests.benchmarks.{module}", *map(str, arguments)]
    ended = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=REPOSITORY, env={**os.environ, **(environment or {})}
    )
    if ended.returncode:
        raise RuntimeError(f"{module} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    return figures
