"""In which encoding a text file is written: declared, or read off its bytes."""

import codecs
from dataclasses import dataclass, field

from churn_platform.errors import InputError

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
FALLBACK = "cp1252"  # what older Windows programs write; holds all printable characters of Latin-1
UNDEFINED = (0x81, 0x8D, 0x8F, 0x90, 0x9D)  # in cp1252
MIXED_SHARE = 0.01
SAMPLE = 64 * 1024


def known_encoding(name: str) -> str:
    """The usual name of a text encoding.

    Raises:
        ValueError: Python knows no such text encoding.
    """
    try:
        found = codecs.lookup(name)
        "".encode(found.name)
    except LookupError as error:
        usual = "utf-8, utf-16, cp1252, latin-1, cp1250, cp1251, iso8859-15, cp850, shift_jis, gb18030"
        raise ValueError(f"'{name}' is not a known text encoding, such as {usual}") from error
    return {"iso8859-1": "latin-1"}.get(found.name, found.name)


def encoding_of_head(head: bytes) -> str | None:
    """The encoding that the first bytes give away: by a byte order mark, or by the NUL bytes of UTF-16; else None."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding
    sample = head[:SAMPLE]
    sample = sample[: len(sample) // 2 * 2]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if half and odd > 0.4 * half and even < 0.1 * half:
        return "utf-16-le"
    if half and even > 0.4 * half and odd < 0.1 * half:
        return "utf-16-be"
    return None


@dataclass
class EncodingCensus:
    """Counts the lines beyond ASCII that are, and that are not, UTF-8, to tell UTF-8 from cp1252 and from a mixture."""

    valid: int = 0
    invalid: int = 0
    first_undefined: tuple[int, int] | None = None
    _lines: int = field(default=0, repr=False)
    _carry: bytes = field(default=b"", repr=False)

    def feed(self, block: bytes) -> None:
        """Take the next bytes of the file."""
        whole, newline, rest = (self._carry + block).rpartition(b"\n")
        self._count(whole + newline)
        self._carry = rest

    def encoding(self, file: str) -> str:
        """The encoding of all that was fed.

        A file in which both kinds of line occur is read as UTF-8, so that the others are quarantined rather than read
        as wrong characters; below one line in a hundred a line may be UTF-8 by chance.

        Raises:
            InputError: neither UTF-8 nor cp1252.
        """
        self._count(self._carry)
        self._carry = b""
        if self.valid >= MIXED_SHARE * (self.valid + self.invalid):
            return "utf-8"
        if self.first_undefined is not None:
            line, byte = self.first_undefined
            raise InputError(
                f"{file} line {line} is not utf-8 text, nor cp1252: byte 0x{byte:02x}. If it is text, declare its "
                'encoding under [source] in the mapping, such as encoding = "cp850"; else export it as UTF-8.'
            )
        return FALLBACK

    def _count(self, text: bytes) -> None:
        if text.isascii() or _is_utf8(text):
            self._lines += text.count(b"\n")
            self.valid += 0 if text.isascii() else text.count(b"\n") + 1
            return
        for line in text.splitlines(keepends=True):
            if not line.isascii():
                self._judge(line)
            self._lines += line.endswith(b"\n")

    def _judge(self, line: bytes) -> None:
        if _is_utf8(line):
            self.valid += 1
            return
        self.invalid += 1
        if self.first_undefined is None:
            undefined = next((byte for byte in line if byte in UNDEFINED), None)
            self.first_undefined = None if undefined is None else (self._lines + 1, undefined)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
