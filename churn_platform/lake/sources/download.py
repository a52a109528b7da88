"""Remote bytes onto this disk, streamed."""

import os
from pathlib import Path, PurePosixPath
from typing import Protocol

from churn_platform.errors import InputError
from churn_platform.lake.landing import is_finished

BLOCK = 1024 * 1024


class Stream(Protocol):
    """Something that gives bytes until there are none."""

    def read(self, size: int, /) -> bytes: ...


def save(stream: Stream, expected: int | None, file: Path, address: str) -> None:
    """Write a stream to a file, durably.

    Args:
        expected: bytes, None if the server did not say.
        address: for the error, without secrets.

    Raises:
        InputError: fewer or more bytes came than the server had announced.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    received = 0
    with file.open("wb") as target:
        while block := stream.read(BLOCK):
            target.write(block)
            received += len(block)
        target.flush()
        os.fsync(target.fileno())
    if expected is not None and received != expected:
        raise InputError(
            f"{address} broke off after {received:,} of {expected:,} bytes. Nothing of it landed; run again."
        )


def file_name(path: str, address: str) -> str:
    """The last part of a remote path, as a name for a file in landing.

    Raises:
        InputError: it has none, or one that landing would not show.
    """
    name = PurePosixPath(path).name
    if name in ("", "..") or not name.isprintable() or not is_finished(Path(name)):
        raise InputError(
            f"{address} gives no usable file name ({name!r}). Expected an address that ends in a name such as "
            "orders.csv, not hidden and not ending in .tmp or .part."
        )
    return name
