import re
from dataclasses import replace
from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.core.bgnbd_scorer import BGNBD
from churn_platform.core.contributions import Contributions
from churn_platform.core.reason_words import REASON_WORDS, Language
from churn_platform.core.reasons import Catalogue, Family, ReasonTemplate, single_reasons, top_reasons
from churn_platform.errors import InputError

SILENCE, SPEND = Family("silence", "silence", actionable=False), Family("spend", "spend", actionable=True)
FREQUENCY, RHYTHM = Family("frequency", "frequency", actionable=True), Family("rhythm", "rhythm", actionable=False)
TEMPLATES = {
    "recency_days": ReasonTemplate(SILENCE, "last order {value} days ago"),
    "orders_90d": ReasonTemplate(FREQUENCY, "{value} orders in 90 days"),
    "orders_30d": ReasonTemplate(FREQUENCY, "{value} orders in 30 days"),
    "spend_90d": ReasonTemplate(SPEND, "spent {value} in 90 days"),
    "median_gap_days": ReasonTemplate(RHYTHM, "usually {value} days between orders"),
}
NAMES = tuple(TEMPLATES)
CATALOGUE = Catalogue(
    TEMPLATES | {BGNBD: ReasonTemplate(RHYTHM, REASON_WORDS["en"].purchase_pattern)}, REASON_WORDS["en"]
)
FEATURES = pl.DataFrame(
    {
        "recency_days": [80, 3],
        "orders_90d": [1, 9],
        "orders_30d": [0, 4],
        "spend_90d": [12.345, 1234.56],
        "median_gap_days": [None, 9.25],
    }
)
VALUES = np.array([[1.0, 0.3, 0.4, -0.2, 0.1], [-1.0, -0.1, -0.3, 0.2, -0.2]])


def reasons(values: np.ndarray = VALUES, features: pl.DataFrame = FEATURES) -> pl.DataFrame:
    return top_reasons(Contributions(NAMES, values, np.zeros(len(values))), features, CATALOGUE)


def test_families_are_summed_and_told_by_their_strongest_member() -> None:
    first = reasons().row(0, named=True)
    assert [first[f"reason_{rank}_code"] for rank in (1, 2, 3)] == ["silence", "frequency", "rhythm"]
    assert [first[f"reason_{rank}_contribution"] for rank in (1, 2, 3)] == pytest.approx([1.0, 0.7, 0.1])
    assert first["reason_1_text"] == "last order 80 days ago: associated with a higher churn risk"
    assert first["reason_2_text"] == "0 orders in 30 days: associated with a higher churn risk"
    assert first["reason_3_text"] == "no rhythm history: associated with a higher churn risk"


def test_a_member_without_a_value_does_not_speak_for_a_family_that_has_one() -> None:
    features = FEATURES.with_columns(orders_30d=pl.lit(None, pl.Int64), spend_90d=pl.lit(float("nan")))
    first = reasons(features=features).row(0, named=True)
    assert first["reason_2_contribution"] == pytest.approx(0.7)
    assert first["reason_2_text"] == "1 orders in 90 days: associated with a higher churn risk"
    assert reasons(features=features).row(1, named=True)["reason_1_text"].startswith("no spend history")


def test_always_three_and_the_rest_are_associated_with_staying() -> None:
    second = reasons().row(1, named=True)
    assert [second[f"reason_{rank}_code"] for rank in (1, 2, 3)] == ["spend", "rhythm", "frequency"]
    assert second["reason_1_text"] == "spent 1,234.6 in 90 days: associated with a higher churn risk"
    assert second["reason_2_text"] == "usually 9.25 days between orders: associated with staying"
    assert second["reason_3_text"] == "4 orders in 30 days: associated with staying"


def test_ties_go_by_name() -> None:
    tied = reasons(np.zeros((1, 5)), FEATURES.head(1)).row(0, named=True)
    assert [tied[f"reason_{rank}_code"] for rank in (1, 2, 3)] == ["frequency", "rhythm", "silence"]
    assert tied["reason_1_text"].startswith("0 orders in 30 days")


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.integers(-5, 5), min_size=5, max_size=5), min_size=1, max_size=8), st.permutations(range(5))
)
def test_order_of_features_never_matters_and_reasons_descend(rows: list[list[int]], order: list[int]) -> None:
    values = np.array(rows, dtype=float)
    features = pl.DataFrame({name: list(range(len(rows))) for name in NAMES})
    told = reasons(values, features)
    shuffled = Contributions(tuple(NAMES[i] for i in order), values[:, order], np.zeros(len(rows)))
    assert top_reasons(shuffled, features, CATALOGUE).equals(told)
    assert (told["reason_1_contribution"] >= told["reason_2_contribution"]).all()
    assert (told["reason_2_contribution"] >= told["reason_3_contribution"]).all()
    codes = told.select("reason_1_code", "reason_2_code", "reason_3_code").rows()
    assert all(len(set(row)) == 3 for row in codes)


def test_no_users_give_an_empty_frame_of_the_same_columns() -> None:
    empty = reasons(np.zeros((0, 5)), FEATURES.head(0))
    assert empty.schema == reasons().schema
    assert empty.height == 0


def test_a_feature_without_template_too_few_families_and_other_users_are_refused() -> None:
    parts = Contributions(NAMES, VALUES, np.zeros(2))
    untold = replace(CATALOGUE, templates={name: TEMPLATES[name] for name in NAMES if name != "spend_90d"})
    with pytest.raises(InputError, match="No reason template for: spend_90d"):
        top_reasons(parts, FEATURES, untold)
    alike = replace(CATALOGUE, templates={name: ReasonTemplate(SILENCE, "{value}") for name in NAMES})
    with pytest.raises(InputError, match="form 1: silence"):
        top_reasons(parts, FEATURES, alike)
    with pytest.raises(InputError, match="2 users, but features of 1"):
        top_reasons(parts, FEATURES.head(1), CATALOGUE)


def test_the_bgnbds_part_is_told_without_a_column_in_the_words_of_the_catalogue() -> None:
    values = np.array([[0.1, 0.0, 0.0, 0.2, 0.3, 0.9], [-0.1, 0.5, 0.0, 0.2, 0.3, -0.9]])
    parts = Contributions((*NAMES, BGNBD), values, np.zeros(2))
    first, second = top_reasons(parts, FEATURES, CATALOGUE).rows(named=True)
    assert first["reason_1_code"] == "rhythm"
    assert first["reason_1_contribution"] == pytest.approx(1.2)
    assert first["reason_1_text"] == "number and timing of purchases so far: associated with a higher churn risk"
    assert second["reason_1_code"] == "frequency"
    pattern = Family("pattern", "pattern", actionable=False)
    own = Catalogue(TEMPLATES | {BGNBD: ReasonTemplate(pattern, "buying pattern")}, CATALOGUE.words)
    told = top_reasons(parts, FEATURES, own).row(0, named=True)
    assert (told["reason_1_code"], told["reason_1_contribution"]) == ("pattern", 0.9)
    assert told["reason_1_text"] == "buying pattern: associated with a higher churn risk"
    with pytest.raises(InputError, match="No reason template for: bgnbd"):
        top_reasons(parts, FEATURES, Catalogue(TEMPLATES, CATALOGUE.words))


def test_a_bgnbd_alone_gives_one_reason_in_the_same_columns() -> None:
    told = single_reasons(BGNBD, np.array([0.4, -0.2]), FEATURES, CATALOGUE)
    assert told.schema == reasons().schema
    assert told["reason_1_code"].to_list() == ["rhythm", "rhythm"]
    assert told["reason_1_contribution"].to_list() == [0.4, -0.2]
    assert told["reason_1_actionable"].to_list() == [False, False]
    assert [text.split(": ")[1] for text in told["reason_1_text"]] == [
        "associated with a higher churn risk",
        "associated with staying",
    ]
    first = [f"reason_1_{part}" for part in ("code", "text", "contribution", "actionable")]
    assert told.drop(first).null_count().row(0) == (2,) * (4 + 4 + 3)


def test_a_single_reason_that_can_be_acted_on_is_the_lever_where_it_pushes_towards_churn() -> None:
    told = single_reasons("spend_90d", np.array([0.4, -0.2]), FEATURES, CATALOGUE)
    assert told["reason_1_actionable"].to_list() == [True, True]
    assert told["top_actionable_code"].to_list() == ["spend", None]
    assert told["top_actionable_text"].to_list() == [told["reason_1_text"][0], None]
    assert told["top_actionable_contribution"].to_list() == [0.4, None]


def test_the_lever_is_the_strongest_family_that_can_be_acted_on_even_beyond_the_third_place() -> None:
    values = np.array([[1.0, 0.1, 0.2, 0.05, 0.5], [0.5, -0.1, -0.3, -0.2, 0.2], [0.5, -0.1, 0.3, 0.9, 0.2]])
    features = pl.concat([FEATURES, FEATURES.head(1)])
    told = reasons(values, features)
    assert told["reason_1_actionable"].to_list() == [False, False, True]
    assert told["top_actionable_code"].to_list() == ["frequency", None, "spend"]
    assert told["top_actionable_contribution"].to_list() == pytest.approx([0.3, None, 0.9])
    assert told["top_actionable_text"][0] == "0 orders in 30 days: associated with a higher churn risk"
    passive = Catalogue(
        {**TEMPLATES, "orders_90d": ReasonTemplate(replace(FREQUENCY, code="habit", actionable=False), "{value}")},
        CATALOGUE.words,
    )
    parts = Contributions(NAMES, np.array([[1.0, 0.4, 0.0, 0.05, 0.5]]), np.zeros(1))
    beyond = top_reasons(parts, FEATURES.head(1), passive).row(0, named=True)
    assert [beyond[f"reason_{place}_actionable"] for place in (1, 2, 3)] == [False] * 3
    assert beyond["top_actionable_code"] == "spend"


def test_without_a_family_to_act_on_there_is_no_lever() -> None:
    passive = {name: replace(told, family=replace(told.family, actionable=False)) for name, told in TEMPLATES.items()}
    told = top_reasons(Contributions(NAMES, VALUES, np.zeros(2)), FEATURES, Catalogue(passive, CATALOGUE.words))
    assert told.schema == reasons().schema
    assert told["reason_1_actionable"].to_list() == [False, False]
    assert told.select("^top_actionable_.*$").null_count().row(0) == (2, 2, 2)


def test_a_share_is_told_in_percent_and_a_flag_as_yes_or_no() -> None:
    templates = {
        **TEMPLATES,
        "orders_30d": replace(TEMPLATES["orders_30d"], text="{value} of the orders", unit="share"),
        "spend_90d": replace(TEMPLATES["spend_90d"], text="came back: {value}", unit="flag"),
    }
    features = FEATURES.with_columns(orders_30d=pl.Series([0.25, 0.0333]), spend_90d=pl.Series([1, 0]))
    parts = Contributions(NAMES, np.array([[0.0, 0.0, 2.0, 1.0, 0.0]] * 2), np.zeros(2))
    told = top_reasons(parts, features, Catalogue(templates, CATALOGUE.words))
    assert [text.split(": assoc")[0] for text in told["reason_1_text"]] == [
        "25 % of the orders",
        "3.33 % of the orders",
    ]
    assert [text.split(": assoc")[0] for text in told["reason_2_text"]] == ["came back: yes", "came back: no"]


def test_chinese_changes_the_words_and_nothing_else() -> None:
    chinese = {
        name: ReasonTemplate(replace(told.family, name="复购节奏"), "近况 {value}") for name, told in TEMPLATES.items()
    }
    told = top_reasons(Contributions(NAMES, VALUES, np.zeros(2)), FEATURES, Catalogue(chinese, REASON_WORDS["zh"]))
    texts = "^.*_text$"
    assert told.drop(pl.selectors.matches(texts)).equals(reasons().drop(pl.selectors.matches(texts)))
    assert told["reason_1_text"].to_list() == ["近况 80：与流失风险较高相关", "近况 1,234.6：与流失风险较高相关"]
    assert told["reason_3_text"].to_list() == ["无复购节奏记录：与流失风险较高相关", "近况 4：与留存相关"]


@pytest.mark.parametrize("direction", ["towards_churn", "towards_staying"])
@pytest.mark.parametrize("language", REASON_WORDS)
def test_each_direction_states_an_association_and_no_cause(language: Language, direction: str) -> None:
    told = getattr(REASON_WORDS[language], direction)
    assert {"en": "associated with", "zh": "相关"}[language] in told
    assert not re.search("because|due to|cause|lead|因为|由于|导致|因此|造成", told)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.randoms(use_true_random=False))
def test_neither_the_order_of_users_nor_that_of_columns_nor_the_company_matters(
    seed: int, users: int, chance: Random
) -> None:
    """To the last bit: who is scored beside a user, and where, never changes the user's reasons."""
    templates = TEMPLATES | {f"orders_{days}d": TEMPLATES["orders_90d"] for days in range(100, 130)}
    names, catalogue = list(templates), Catalogue(templates, CATALOGUE.words)
    values = np.random.default_rng(seed).normal(size=(users, len(names))).round(chance.choice([0, 1, 16]))
    features = pl.DataFrame({name: [float(at * 7 % 5) for at in range(users)] for name in names})
    told = top_reasons(Contributions(tuple(names), values, np.zeros(users)), features, catalogue)
    rows, columns = chance.sample(range(users), users), chance.sample(range(len(names)), len(names))
    parts = Contributions(tuple(names[at] for at in columns), values[rows][:, columns], np.zeros(users))
    reordered = Catalogue(dict(chance.sample(list(templates.items()), len(names))), CATALOGUE.words)
    shuffled = features[rows].select(chance.sample(names, len(names)))
    assert top_reasons(parts, shuffled, reordered).equals(told[rows])
    alone = Contributions(tuple(names), values[:1], np.zeros(1))
    assert top_reasons(alone, features.head(1), catalogue).equals(told.head(1))
