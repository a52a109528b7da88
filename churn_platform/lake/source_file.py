"""A user's file as bytes: its kind by its ending, its fingerprint, its encoding, and whether it is what it says."""

import codecs
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pyarrow as pa

from churn_platform.errors import InputError
from churn_platform.lake.text_encoding import EncodingCensus, encoding_of_head

Kind = Literal["csv", "jsonl", "parquet", "xlsx"]

ENDINGS: dict[str, Kind] = {
    ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".xlsx": "xlsx",
}  # fmt: skip
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
WORKBOOK = "a ZIP archive or an Excel workbook"
MAGIC = {
    b"PAR1": "Parquet",
    b"PK\x03\x04": WORKBOOK,
    b"\xd0\xcf\x11\xe0": "an Excel workbook of before 2007 (.xls)",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"%PDF": "PDF",
    b"\x89PNG": "PNG",
}
CONTAINERS = {"parquet": "Parquet", "xlsx": WORKBOOK}
BLOCK = 4 * 1024 * 1024
TAIL = 64 * 1024
# DuckDB's CSV reader drops a line that exceeds its buffer of 32 MB without a word.
LONGEST_LINE = 16 * 1024 * 1024


@dataclass(frozen=True)
class FileFacts:
    """What one pass over the bytes tells.

    `lines` counts newlines of the uncompressed text (0 for Parquet and Excel); `last_line` is its last, unfinished
    line, None if the text ends with a newline; `fingerprint` is the start of the SHA-256 of the bytes on disk;
    `encoding` is that of the text, declared or detected; `utf8` is a copy of the text in UTF-8, for any other encoding.
    """

    path: Path
    kind: Kind
    compression: str | None
    fingerprint: str
    lines: int = 0
    last_line: str | None = None
    encoding: str = "utf-8"
    utf8: Path | None = None

    @property
    def readable(self) -> Path:
        """The file that DuckDB reads.

        Raises:
            ValueError: text in another encoding than UTF-8 has not been passed through `in_utf8`.
        """
        if self.utf8 is None and self.encoding != "utf-8":
            raise ValueError(f"{self.path} is {self.encoding} text and has no copy in UTF-8 yet")
        return self.utf8 or self.path


def examine(path: Path, declared: Kind | None = None, encoding: str | None = None) -> FileFacts:
    """Read a file's bytes in bounded memory: text for its fingerprint and for its encoding at the same time.

    Args:
        declared: the mapping's format; default by the ending.
        encoding: of text; default: detected by byte order mark, NUL bytes, and whether all of it is UTF-8.

    Raises:
        InputError: the file is missing, empty, not what its ending (or `declared`, the mapping's format) says, cut off,
            or is text that holds NUL bytes, an endless line or neither UTF-8 nor cp1252.
    """
    kind, compression = kind_of(path, declared)
    if not path.is_file():
        raise InputError(f"{path} does not exist or is not a file.")
    if path.stat().st_size == 0:
        raise InputError(f"{path.name} is empty (0 bytes). Expected {kind} with at least one row. Export it again.")
    _check_magic(path, kind, compression)
    if kind in CONTAINERS:
        return FileFacts(path, kind, compression, fingerprint_of(path))
    with ThreadPoolExecutor(1) as pool:
        fingerprint = pool.submit(fingerprint_of, path)
        facts = _examine_text(FileFacts(path, kind, compression, fingerprint=""), encoding)
        return replace(facts, fingerprint=fingerprint.result())


def in_utf8(facts: FileFacts, folder: Path) -> FileFacts:
    """The same file with its text readable as UTF-8: as it is, or as a copy in `folder`, compressed as the file is.

    Raises:
        InputError: bytes that the declared encoding does not have.
    """
    if facts.encoding == "utf-8":
        return facts
    copy = folder / "utf8"
    with pa.output_stream(str(copy), compression=facts.compression) as target:
        for block in utf8_blocks(facts):
            target.write(block)
    return replace(facts, utf8=copy)


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
            'Rename the file, or declare format = "csv", "jsonl", "parquet" or "xlsx" under [source] in the mapping.'
        )
    if kind in CONTAINERS and compression:
        what = "Parquet" if kind == "parquet" else "An Excel workbook"
        raise InputError(f"{path.name}: {what} inside {compression} cannot be read. Unpack the file first.")
    return kind, compression


def fingerprint_of(path: Path) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a file's bytes, streamed."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def _check_magic(path: Path, kind: Kind, compression: str | None) -> None:
    with path.open("rb") as stream:
        head = stream.read(8)
    found = next((name for magic, name in MAGIC.items() if head.startswith(magic)), None)
    expected = compression or CONTAINERS.get(kind)
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


def _examine_text(facts: FileFacts, declared: str | None) -> FileFacts:
    encoding = declared or encoding_of_head(next(blocks(facts.path, facts.compression), b""))
    census, survey = EncodingCensus(), _TextSurvey(facts.path.name)
    if encoding in (None, "utf-8"):
        for block in blocks(facts.path, facts.compression):
            survey.feed(block)
            if encoding is None:
                census.feed(block)
        encoding = encoding or census.encoding(facts.path.name)
        last_line = survey.last_line(encoding)
    else:
        for block in utf8_blocks(replace(facts, encoding=encoding)):
            survey.feed(block)
        last_line = survey.last_line("utf-8")
    return replace(facts, encoding=encoding, lines=survey.lines, last_line=last_line)


class _TextSurvey:
    """Counts the lines of a text, keeps its end, and refuses what no reader of text should be given."""

    def __init__(self, file: str) -> None:
        self.lines = 0
        self._file = file
        self._tail = b""
        self._line_length = 0

    def feed(self, block: bytes) -> None:
        """Take the next bytes of the text, in an encoding whose ASCII bytes mean ASCII."""
        if (at := block.find(b"\0")) >= 0:
            line = self.lines + block.count(b"\n", 0, at) + 1
            raise InputError(
                f"{self._file} line {line} holds a NUL byte, so it is not plain text. Expected text in the encoding "
                "that [source] encoding declares (default: detected). Export it again."
            )
        newline = block.find(b"\n")
        self._line_length += newline if newline >= 0 else len(block)
        if self._line_length > LONGEST_LINE:
            raise InputError(
                f"{self._file} line {self.lines + 1} is longer than {LONGEST_LINE // 2**20} MB. Expected one record a "
                "line, each ended by a line feed. Export it again with line ends."
            )
        if newline >= 0:
            self._line_length = len(block) - block.rfind(b"\n") - 1
        self.lines += block.count(b"\n")
        self._tail = (self._tail + block)[-TAIL:]

    def last_line(self, encoding: str) -> str | None:
        """The last line, if it has no line end."""
        if not self._tail.removeprefix(codecs.BOM_UTF8).strip():
            raise InputError(f"{self._file} holds no text. Expected at least one row. Export it again.")
        if self._tail.endswith((b"\n", b"\r")):
            return None
        return self._tail.rpartition(b"\n")[2].decode(encoding, errors="replace")


def utf8_blocks(facts: FileFacts) -> Iterator[bytes]:
    """The uncompressed text of a file in UTF-8, in blocks, without its byte order mark.

    Raises:
        InputError: as `blocks`, or bytes that the encoding does not have.
    """
    decoder, lines, begun = codecs.getincrementaldecoder(facts.encoding)(), 0, False
    for block in _with_end(blocks(facts.path, facts.compression)):
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            bad = error.object[error.start]
            line = lines + 1 + error.object[: error.start].decode(facts.encoding, errors="replace").count("\n")
            raise InputError(
                f"{facts.path.name} line {line} is not {facts.encoding} text: byte 0x{bad:02x}. Declare another "
                "encoding under [source] in the mapping, or export the file as UTF-8."
            ) from error
        lines += text.count("\n")
        yield (text if begun else text.removeprefix("\ufeff")).encode()
        begun = begun or bool(text)


def _with_end(parts: Iterator[bytes]) -> Iterator[bytes]:
    yield from parts
    yield b""


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
