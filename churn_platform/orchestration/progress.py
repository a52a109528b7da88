"""How far a long ingest has come: a bar in a terminal, a line of the run's log now and then elsewhere."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from churn_platform.lake.progress import Report

LOG_SECONDS = 10.0
_terminal: ContextVar[TextIO | None] = ContextVar("terminal", default=None)


@contextmanager
def terminal_kept() -> Iterator[None]:
    """Keep the terminal that this process was started from, if any, for the bars of the runs inside.

    While a step runs, Dagster sends the standard error into a file, which looks like no terminal.
    """
    if not sys.stderr.isatty():
        yield
        return
    with os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding) as terminal:
        token = _terminal.set(terminal)
        try:
            yield
        finally:
            _terminal.reset(token)


@contextmanager
def progress_of(file: str, log: Callable[[str], None]) -> Iterator[Report]:
    """A report for `ingest` that shows rows and rows per second of one file.

    Args:
        log: takes a line; used where no terminal was kept, at most every ten seconds, so that a small file says
            nothing.
    """
    terminal = _terminal.get()
    if terminal is not None:
        with _bar(file, terminal) as report:
            yield report
    else:
        yield _lines(file, log)


@contextmanager
def _bar(file: str, terminal: TextIO) -> Iterator[Report]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]} rows/s"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(file=terminal), transient=True) as progress:
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
