"""The words of the reports on a model: languages/<language>.toml."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from churn_platform.core.reason_words import Language


def words(language: Language) -> dict[str, str]:
    """Key → text in one language; every language has the same keys."""
    file = Path(__file__).parent / "languages" / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


# What other parts of the platform write down in English → key of the sentence that tells it.
_SENTENCES = (
    (re.compile(r"(?P<gain>[+-]\d+\.\d+) over (?P<model>\w+)"), "gain_over_model"),
    (re.compile(r"trained on (?P<rows>\d+) rows of (?P<snapshots>\d+) snapshots"), "trained_on"),
    (re.compile(r"≤ 0, or explained: (?P<why>.+)"), "zero_or_explained"),
)


def in_words(text: str, told: Mapping[str, str]) -> str:
    """What the platform noted of a target or an event, in the language of `told`; what a person wrote, as it is."""
    if text in told:
        return told[text]
    for pattern, key in _SENTENCES:

        def tell(found: re.Match[str], sentence: str = told[key]) -> str:
            return sentence.format(**{name: told.get(value, value) for name, value in found.groupdict().items()})

        text = pattern.sub(tell, text)
    return text
