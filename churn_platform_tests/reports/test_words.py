import re
from typing import get_args

import pytest

from churn_platform.core.acceptance import TARGETS
from churn_platform.reports.words import Language, words

# Terms that Chinese readers use as they are.
SAME_IN_BOTH = {"auc", "ks", "bgnbd"}


@pytest.mark.parametrize("language", get_args(Language))
def test_every_text_is_there(language: Language) -> None:
    assert all(text.strip() for text in words(language).values())
    assert set(TARGETS) <= set(words(language))


def test_both_languages_have_the_same_gaps_to_fill() -> None:
    english, chinese = words("en"), words("zh")
    for key, text in english.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", chinese[key])), key


def test_chinese_is_chinese() -> None:
    english, chinese = words("en"), words("zh")
    untranslated = {key for key, text in chinese.items() if text == english[key]}
    assert untranslated == SAME_IN_BOTH
    foreign = {key for key, text in chinese.items() if not re.search(r"[一-鿿]", text)} - SAME_IN_BOTH
    assert foreign == {"html_language"}
