"""How a CSV file separates, quotes and escapes its values: declared in the mapping, or read off its first lines."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from churn_platform.errors import InputError
from churn_platform.lake.mapping import Source

DELIMITERS = ",;\t|^~\x01\x1f"
QUOTES = "\"'"


@dataclass(frozen=True)
class CsvDialect:
    """`escape` makes a quote inside a quoted value literal; the same as `quote` where quotes are doubled."""

    delimiter: str
    quote: str
    escape: str


def dialect_of(head: str, path: Path, source: Source) -> CsvDialect:
    """The dialect of a CSV file whose text begins with `head`.

    Detected where nothing is declared: the delimiter that occurs most in the header outside quotes (a .tsv file has
    tabs); a single quote if it encloses values on at least half of the lines and the double quote encloses none; a
    backslash if it stands before a quote that does not end its value.
    """
    lines = head.split("\n")[:-1] or [head]
    usual = "\t" if ".tsv" in path.suffixes else max(DELIMITERS, key=_outside_quotes(lines[0]).count)
    delimiter = source.delimiter or usual
    quote = source.quote or _quote(lines, delimiter)
    return CsvDialect(delimiter, quote, source.escape or _escape(head, delimiter, quote))


def header_of(head: str, file: str, dialect: CsvDialect) -> list[str]:
    """The column names in the first record; a nameless column is called `column` and its number.

    Raises:
        InputError: a name occurs twice, or the header is no record of this dialect.
    """
    doubled = dialect.escape == dialect.quote
    reader = csv.reader(
        head.splitlines(keepends=True),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        doublequote=doubled,
        escapechar=None if doubled else dialect.escape,
    )
    try:
        names = next(reader, [])
    except csv.Error as error:
        raise InputError(
            f"{file} line 1: the header cannot be read with delimiter {dialect.delimiter!r} and quote "
            f"{dialect.quote!r} ({error}). Expected one line of column names. Export it again, or declare delimiter, "
            "quote and escape under [source] in the mapping."
        ) from error
    columns = [name.strip() or f"column{number}" for number, name in enumerate(names, start=1)]
    seen: set[str] = set()
    for column in columns:
        if column.casefold() in seen:
            raise InputError(f"{file} line 1: the column '{column}' occurs twice. Rename one of them.")
        seen.add(column.casefold())
    return columns


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _quote(lines: list[str], delimiter: str) -> str:
    double, single = (sum(_encloses(line, quote, delimiter) for line in lines) for quote in QUOTES)
    return "'" if double == 0 and single >= max(1, len(lines) / 2) else '"'


def _encloses(line: str, quote: str, delimiter: str) -> bool:
    edge = re.escape(delimiter)
    return re.search(rf"(^|{edge}){quote}([^{quote}\\]|\\.|{quote}{quote})*{quote}({edge}|\r?$)", line) is not None


def _escape(head: str, delimiter: str, quote: str) -> str:
    inside = re.search(rf"[^{re.escape(delimiter)}\r\n]\\{quote}(?!{re.escape(delimiter)}|\r|\n|$)", head)
    return "\\" if inside else quote
