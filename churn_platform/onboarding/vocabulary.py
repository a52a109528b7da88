"""What a header says about its column, and a word about an event's type: by the words of vocabulary.toml."""

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

from churn_platform.lake.numbers import CODES

SIGNS: Final = {"€": "EUR", "£": "GBP", "$": "USD", "¥": "JPY", "₹": "INR", "₽": "RUB", "zł": "PLN", "₺": "TRY"}
SHORTEST_INSIDE: Final = 4  # a shorter Latin word inside a compound is there by chance
MONEY: Final = ("unit_price", "amount")
BY_PHRASE, BY_LAST_WORD, BY_WORD, BY_PART, OF_SOMETHING_ELSE = 1.0, 0.9, 0.8, 0.7, 0.2

Words = dict[str, frozenset[str]]


def words_of(name: str) -> list[str]:
    """The words of a header: lower case, without accents, split at all but letters and digits, and at CamelCase."""
    split = re.sub(r"(?<=[a-zß-ÿ0-9])(?=[A-ZÄÖÜ])", " ", name).replace("ß", "ss")
    plain = "".join(mark for mark in unicodedata.normalize("NFKD", split) if not unicodedata.combining(mark))
    return re.findall(r"[^\W_]+", plain.lower())


def name_scores(name: str, record: str = "") -> dict[str, float]:
    """How well a header fits each canonical column, from its words alone: 1 says it all, 0.2 hardly; others are absent.

    Of a dotted name (a nested field) the last part counts, and the one before it where the last is a mere 'id' or the
    number of a price or total.

    Args:
        record: what one record is, such as the file's name 'orders': a mere 'id' is its number.
    """
    outer, _, inner = name.rpartition(".") if re.fullmatch(r"\S+\.\S+", name) else ("", "", name)
    words = words_of(inner)
    joined = "".join(words)
    scores = {role: BY_PHRASE for role, phrases in _words("phrases").items() if joined in phrases}
    numbering, personal = _words("other")["numbering"], _words("other")["personal"]
    meaning = [word for word in words if word not in numbering]
    money = {
        role: score
        for role, score in _matches(words_of(outer.rpartition(".")[2]), personal)[0].items()
        if role in MONEY
    }
    if money and joined in _words("other")["inside_money"]:
        return money
    around = _matches(words_of(outer), personal)[1]
    if outer and not meaning:
        return scores | around
    if record and not meaning:
        return scores | dict.fromkeys(_matches(words_of(record), personal)[1], BY_PART)
    attributes, entities = _matches(meaning, personal)
    of_something_else = bool(attributes) or not personal.isdisjoint(meaning)
    for role, score in attributes.items():
        scores.setdefault(role, score)
    for role, score in entities.items():
        scores.setdefault(role, OF_SOMETHING_ELSE if of_something_else else score)
    for role in around:
        scores.setdefault(role, OF_SOMETHING_ELSE)
    return scores


def event_type_of(value: str) -> str | None:
    """The canonical type that a shop's word means, such as 'purchase' for 'Gekauft'; None for a word not known."""
    joined = "".join(words_of(value))
    return next((canonical for canonical, names in _words("event_types").items() if joined in names), None)


def is_currency(value: str) -> bool:
    """Whether it is the ISO 4217 code of a currency."""
    return value.upper() in CODES.split()


def is_other_moment(name: str) -> bool:
    """Whether a header names a time that is not that of the event, such as a delivery."""
    return not _words("other")["other_moments"].isdisjoint(words_of(name))


def is_part_of_money(name: str) -> bool:
    """Whether a header names what is added to or taken off a price, such as a tax; a 'total after tax' is none."""
    words, other = set(words_of(name)), _words("other")
    return not other["parts_of_money"].isdisjoint(words) and other["with_or_without"].isdisjoint(words)


def _matches(words: list[str], personal: frozenset[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Attributes and entities that the words name; whole words count more than parts of compounds."""
    found: tuple[dict[str, float], dict[str, float]] = ({}, {})
    sections = (_words("attributes"), _words("entities"))
    for position, word in enumerate(reversed(words)):
        whole = BY_LAST_WORD if position == 0 else BY_WORD
        parts = [] if word in personal else _longest_parts(word, sections)
        for section, scores in zip(sections, found, strict=True):
            for role, names in section.items():
                score = whole if word in names else BY_PART if not names.isdisjoint(parts) else 0.0
                if score > scores.get(role, 0.0):
                    scores[role] = score
    return found


def _longest_parts(word: str, sections: Iterable[Words]) -> list[str]:
    """The known words inside a compound, none if it is itself known; of one inside another the longer."""
    names = {name for section in sections for known in section.values() for name in known}
    if word in names:
        return []
    parts = [part for part in names if part in word and len(part) >= (SHORTEST_INSIDE if part.isascii() else 2)]
    return [part for part in parts if not any(part != other and part in other for other in parts)]


@cache
def _words(section: str) -> Words:
    text = Path(__file__).with_name("vocabulary.toml").read_text(encoding="utf-8")
    read: dict[str, str] = tomllib.loads(text)[section]
    return {role: frozenset("".join(words_of(word)) for word in words.split()) for role, words in read.items()}
