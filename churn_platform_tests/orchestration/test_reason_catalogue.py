"""The texts of the project's own features, in both languages."""

import re
from typing import get_args

import pytest

from churn_platform.core.bgnbd_scorer import BGNBD
from churn_platform.core.reason_words import Language
from churn_platform.orchestration.feature_tables import feature_columns
from churn_platform.orchestration.reason_catalogue import reason_catalogue
from churn_platform.sql.library import default_library

CHINESE, LATIN = re.compile("[一-鿿]"), re.compile("[A-Za-z]")
CAUSES = re.compile(r"\b(because|cause|due to|leads? to)\b|因为|由于|导致|造成|所以")


@pytest.mark.parametrize("language", get_args(Language))
def test_everything_that_a_model_may_use_is_told_as_an_association(language: Language) -> None:
    catalogue = reason_catalogue(language)
    assert set(catalogue.templates) == {column.name for column in feature_columns()} | {BGNBD}
    texts = [template.text for template in catalogue.templates.values()]
    assert len(set(texts)) == len(texts), "two features are told alike"
    assert [text for text in texts if CAUSES.search(text)] == []


def test_codes_units_and_what_can_be_acted_on_are_the_same_in_both_languages() -> None:
    english, chinese = reason_catalogue("en").templates, reason_catalogue("zh").templates
    for name, told in english.items():
        other = chinese[name]
        assert (told.family.code, told.family.actionable, told.unit) == (
            other.family.code,
            other.family.actionable,
            other.unit,
        )


def test_chinese_texts_are_chinese() -> None:
    templates = reason_catalogue("zh").templates.values()
    texts = [template.text.replace("{value}", "") for template in templates]
    texts += [template.family.name for template in templates]
    texts += [column.meaning_in("zh") for column in feature_columns()]
    assert [text for text in texts if LATIN.search(text) or not CHINESE.search(text)] == []


def test_what_is_null_says_so_in_both_languages() -> None:
    for column in feature_columns():
        assert ("null" in column.meaning) is ("为空" in column.meaning_in("zh")), column.name


def test_the_days_of_a_window_are_the_same_in_both_languages() -> None:
    for column in feature_columns():
        window = re.search(r"_(\d+)d$", column.name)
        if window and re.search(rf"\b{window[1]}\b", column.meaning):
            assert re.search(rf"(?<!\d){window[1]}(?!\d)", column.meaning_in("zh")), column.name


def test_every_declared_family_has_features() -> None:
    assert set(default_library().families) == {column.family for column in feature_columns()}


def test_what_lies_in_the_past_cannot_be_acted_on_and_what_the_shop_does_can() -> None:
    actionable = {code for code, family in default_library().families.items() if family.actionable}
    assert {"support", "returns", "discount", "browsing", "engagement"} <= actionable
    assert not {"recency", "tenure", "rhythm", "season", "frequency", "value", "trend"} & actionable
