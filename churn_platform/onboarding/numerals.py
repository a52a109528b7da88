"""Numbers as people write them: with a decimal comma, grouped digits, a currency sign, a minus behind."""

import re
from collections.abc import Iterable
from typing import Final, Literal

Mark = Literal[".", ","]

GROUPERS: Final = {".": ", '’\u00a0\u202f", ",": ". '’\u00a0\u202f"}
DECORATION: Final = re.compile(r"^(?:[A-Z]{3}|[^\w\s.,()+-]{1,2}|zł)\s*|\s*(?:[A-Z]{3}|[^\w\s.,()+-]{1,2}|zł)$")
SIGN: Final = re.compile(r"[€£$¥₹₽₺]|zł")


def number_of(text: str, mark: Mark) -> float | None:
    """The number that a text means where `mark` is the decimal mark; None if it is none."""
    bare = text.strip()
    negative = bare.startswith("(") and bare.endswith(")")
    bare = bare[1:-1] if negative else bare
    sign, bare = _without_minus(bare)
    bare = DECORATION.sub("", bare).strip()
    inner, bare = _without_minus(bare)
    bare = _ungrouped(bare, mark).replace(mark, ".")
    if not re.fullmatch(r"\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+", bare):
        return None
    value = float(bare)
    return -value if negative or sign or inner else value


def decimal_mark(columns: Iterable[Iterable[str]]) -> Mark:
    """The decimal mark that makes numbers of more values; the point where both do."""
    point = comma = 0
    for values in columns:
        for text in values:
            with_point, with_comma = number_of(text, "."), number_of(text, ",")
            point += with_point is not None and with_comma is None
            comma += with_comma is not None and with_point is None
    return "," if comma > point else "."


def currency_sign(values: Iterable[str]) -> str | None:
    """The currency sign that the values carry, if all that carry one carry the same."""
    signs = {match.group() for text in values if (match := SIGN.search(text))}
    return signs.pop() if len(signs) == 1 else None


def _without_minus(text: str) -> tuple[bool, str]:
    if text[:1] in "-−" and text:
        return True, text[1:].strip()
    if text[-1:] in "-−" and text:
        return True, text[:-1].strip()
    return False, text.removeprefix("+")


def _ungrouped(text: str, mark: Mark) -> str:
    whole, _, fraction = text.partition(mark)
    for grouper in GROUPERS[mark]:
        if re.fullmatch(rf"\d{{1,3}}({re.escape(grouper)}\d{{3}})+", whole):
            return whole.replace(grouper, "") + (mark + fraction if fraction else "")
    return text
