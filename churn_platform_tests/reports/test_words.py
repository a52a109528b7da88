import re
from typing import get_args

import pytest

from churn_platform.core.acceptance import TARGETS
from churn_platform.core.reason_words import Language
from churn_platform.reports.words import in_words, words

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


@pytest.mark.parametrize(
    ("noted", "english", "chinese"),
    [
        ("not below any baseline", "not below any baseline", "不低于任何基线"),
        ("+0.0200 over bgnbd; -0.0010 over recency_rule", "+0.0200 over BG/NBD; -0.0010 over recency rule",
         "较 BG/NBD +0.0200; 较 最近活跃规则 -0.0010"),
        ("+0.0200 over a_model_to_come", "+0.0200 over a_model_to_come", "较 a_model_to_come +0.0200"),
        ("trained on 123 rows of 4 snapshots", "trained on 123 rows of 4 snapshots", "用 4 个快照的 123 行样本训练"),
        ("0.7800", "0.7800", "0.7800"),
        ("hand over to Ada", "hand over to Ada", "hand over to Ada"),
    ],
)  # fmt: skip
def test_what_the_platform_notes_is_told_in_the_language(noted: str, english: str, chinese: str) -> None:
    assert (in_words(noted, words("en")), in_words(noted, words("zh"))) == (english, chinese)
