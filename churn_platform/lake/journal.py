"""An append-only file of JSON lines that survives a kill at any byte."""

import json
import os
from pathlib import Path
from typing import Any

from churn_platform.errors import UsageError


class Journal:
    """Records in the order of their writing, one JSON object a line.

    A record exists once its newline is on disk. A last line without a newline is the trace of a killed writer:
    readers ignore it and the next append removes it. One writer at a time (the caller holds the home's lock).
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def records(self) -> list[dict[str, Any]]:
        """All complete records, oldest first; none while the file does not exist.

        Raises:
            UsageError: a complete line is not a JSON object, so somebody edited the file.
        """
        if not self.path.exists():
            return []
        *lines, _torn = self.path.read_bytes().split(b"\n")
        return [self._parse(line, number) for number, line in enumerate(lines, start=1)]

    def append(self, record: dict[str, Any]) -> None:
        """Write one record durably: one write of one line, then fsync of the file, and of a new file's folder.

        Raises:
            OSError: the disk took less than the whole line; the torn line is not a record.
        """
        line = json.dumps(record, ensure_ascii=False, sort_keys=True).encode() + b"\n"
        is_new = not self.path.exists()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _drop_torn_line(descriptor)
            if os.write(descriptor, line) != len(line):
                raise OSError(f"{self.path}: the disk took only part of a line. Free some space and run again.")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            sync_to_disk(self.path.parent)

    def _parse(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except ValueError as error:
            raise self._damaged(number, str(error)) from error
        if not isinstance(record, dict):
            raise self._damaged(number, f"found {type(record).__name__}")
        return record

    def _damaged(self, number: int, what: str) -> UsageError:
        return UsageError(
            f"{self.path} line {number} is not a JSON object ({what}). The file is written by the platform only; "
            "restore it from a backup."
        )


def sync_to_disk(path: Path) -> None:
    """Make a file's content durable, or the names in a folder, so that a rename into it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _drop_torn_line(descriptor: int) -> None:
    size = os.fstat(descriptor).st_size
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    end = size
    while end > 0:
        start = max(0, end - 65536)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            os.ftruncate(descriptor, start + newline + 1)
            return
        end = start
    os.ftruncate(descriptor, 0)
