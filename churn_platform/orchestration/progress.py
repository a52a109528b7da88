"""How far a long ingest has come: a bar in a terminal, a line of the run's log now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from churn_platform.lake.progress import Report

LOG_SECONDS = 10.0


@contextmanager
def progress_of(file: str, log: Callable[[str], None]) -> Iterator[Report]:
    """A report for `ingest` that shows rows and rows per second of one file.

    Args:
        log: takes a line; used where the standard error is not a terminal, at most every ten seconds, so that a small
            file says nothing.
    """
    if sys.stderr.isatty():
        with _bar(file) as report:
            yield report
    else:
        yield _lines(file, log)


@contextmanager
def _bar(file: str) -> Iterator[Report]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]} rows/s"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(file, total=None, rate="–")

        def report(rows: int, expected: int) -> None:
            progress.update(task, completed=rows, total=expected, rate=f"{_rate(rows, began):,.0f}")

        yield report


def _lines(file: str, log: Callable[[str], None]) -> Report:
    began = last = time.monotonic()

    def report(rows: int, expected: int) -> None:
        nonlocal last
        now = time.monotonic()
        if rows < expected and now - last >= LOG_SECONDS:
            last = now
            log(f"{file}: {rows:,} of about {expected:,} rows read, {_rate(rows, began):,.0f} rows/s")

    return report


def _rate(rows: int, began: float) -> float:
    return rows / max(time.monotonic() - began, 1e-3)
