"""A user's file as bytes: its kind by its ending, its fingerprint, and whether it is what its ending says."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from churn_platform.errors import InputError

Kind = Literal["csv", "jsonl", "parquet"]

ENDINGS: dict[str, Kind] = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
MAGIC = {
    b"PAR1": "Parquet",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"%PDF": "PDF",
    b"\x89PNG": "PNG",
}
BLOCK = 4 * 1024 * 1024
TAIL = 64 * 1024


@dataclass(frozen=True)
class FileFacts:
    """What one pass over the bytes tells.

    `lines` counts newlines of the uncompressed text (0 for Parquet); `last_line` is its last, unfinished line, None if
    the text ends with a newline; `fingerprint` is the start of the SHA-256 of the bytes as they lie on disk.
    """

    path: Path
    kind: Kind
    compression: str | None
    fingerprint: str
    lines: int = 0
    last_line: bytes | None = None


def examine(path: Path, declared: Kind | None = None, encoding: str = "utf-8") -> FileFacts:
    """Read a file's bytes once, in bounded memory.

    Raises:
        InputError: the file is missing, empty, not what its ending (or `declared`, the mapping's format) says, cut off,
            or is text that holds NUL bytes.
    """
    kind, compression = kind_of(path, declared)
    if not path.is_file():
        raise InputError(f"{path} does not exist or is not a file.")
    if path.stat().st_size == 0:
        raise InputError(f"{path.name} is empty (0 bytes). Expected {kind} with at least one row. Export it again.")
    _check_magic(path, kind, compression)
    fingerprint = fingerprint_of(path)
    if kind == "parquet":
        return FileFacts(path, kind, compression, fingerprint)
    lines, last_line = _examine_text(path, compression, may_hold_nul=encoding == "utf-16")
    return FileFacts(path, kind, compression, fingerprint, lines, last_line)


def kind_of(path: Path, declared: Kind | None = None) -> tuple[Kind, str | None]:
    """The format and the compression of a file, by its ending unless declared.

    Raises:
        InputError: the ending is unknown and nothing is declared.
    """
    endings = [ending.lower() for ending in path.suffixes]
    compression = COMPRESSIONS.get(endings.pop()) if endings and endings[-1] in COMPRESSIONS else None
    ending = endings[-1] if endings else ""
    kind = declared or ENDINGS.get(ending)
    if kind is None:
        known = ", ".join([*ENDINGS, *(f"{plain}{packed}" for plain in (".csv", ".jsonl") for packed in COMPRESSIONS)])
        raise InputError(
            f"{path.name}: the ending '{ending}' says nothing about the format. Known endings: {known}. "
            'Rename the file, or declare format = "csv", "jsonl" or "parquet" under [source] in the mapping.'
        )
    if kind == "parquet" and compression:
        raise InputError(f"{path.name}: Parquet inside {compression} cannot be read. Unpack the file first.")
    return kind, compression


def fingerprint_of(path: Path) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a file's bytes, streamed."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def _check_magic(path: Path, kind: Kind, compression: str | None) -> None:
    with path.open("rb") as stream:
        head = stream.read(8)
    found = next((name for magic, name in MAGIC.items() if head.startswith(magic)), None)
    expected = {"gzip": "gzip", "zstd": "zstd", None: "Parquet" if kind == "parquet" else None}[compression]
    if found != expected:
        raise InputError(
            f"{path.name} is not what its ending says: expected {expected or f'{kind} text'}, "
            f"found {found or 'other content'} (first bytes {head!r}). Give it the right ending or export it again."
        )
    if expected == "Parquet" and not _ends_with(path, b"PAR1"):
        raise InputError(
            f"{path.name} is cut off: a Parquet file ends with PAR1, this one does not. Copy or export it again."
        )


def _ends_with(path: Path, ending: bytes) -> bool:
    with path.open("rb") as stream:
        stream.seek(-len(ending), 2)
        return stream.read() == ending


def _examine_text(path: Path, compression: str | None, may_hold_nul: bool) -> tuple[int, bytes | None]:
    lines, tail = 0, b""
    for block in blocks(path, compression):
        if not may_hold_nul and (at := block.find(b"\0")) >= 0:
            line = lines + block.count(b"\n", 0, at) + 1
            raise InputError(
                f"{path.name} line {line} holds a NUL byte, so it is not plain text. "
                "Expected text in the encoding that [source] encoding declares (default utf-8). Export it again."
            )
        lines += block.count(b"\n")
        tail = (tail + block)[-TAIL:]
    if not tail.strip():
        raise InputError(f"{path.name} holds no text. Expected at least one row. Export it again.")
    return lines, None if tail.endswith((b"\n", b"\n\0", b"\r")) else tail.rpartition(b"\n")[2]


def blocks(path: Path, compression: str | None) -> Iterator[bytes]:
    """The uncompressed bytes of a file, in blocks.

    Raises:
        InputError: the compressed stream is cut off or damaged.
    """
    try:
        with pa.input_stream(str(path), compression=compression, buffer_size=BLOCK) as stream:
            while block := stream.read(BLOCK):
                yield block
    except OSError as error:
        raise InputError(
            f"{path.name} is not a whole {compression or 'file'} stream: {error}. Copy or export it again."
        ) from error
