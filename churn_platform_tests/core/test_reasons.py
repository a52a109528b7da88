import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.core.bgnbd_scorer import BGNBD
from churn_platform.core.contributions import Contributions
from churn_platform.core.reasons import ReasonTemplate, rhythm_reasons, top_reasons
from churn_platform.errors import InputError

CATALOGUE = {
    "recency_days": ReasonTemplate("silence", "last order {value} days ago"),
    "orders_90d": ReasonTemplate("frequency", "{value} orders in 90 days"),
    "orders_30d": ReasonTemplate("frequency", "{value} orders in 30 days"),
    "spend_90d": ReasonTemplate("spend", "spent {value} in 90 days"),
    "median_gap_days": ReasonTemplate("rhythm", "usually {value} days between orders"),
}
NAMES = tuple(CATALOGUE)
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


def test_always_three_and_the_rest_speak_for_staying() -> None:
    second = reasons().row(1, named=True)
    assert [second[f"reason_{rank}_code"] for rank in (1, 2, 3)] == ["spend", "rhythm", "frequency"]
    assert second["reason_1_text"] == "spent 1,234.6 in 90 days: associated with a higher churn risk"
    assert second["reason_2_text"] == "usually 9.25 days between orders: speaks for staying"
    assert second["reason_3_text"] == "4 orders in 30 days: speaks for staying"


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
    with pytest.raises(InputError, match="No reason template for: spend_90d"):
        top_reasons(parts, FEATURES, {name: CATALOGUE[name] for name in NAMES if name != "spend_90d"})
    with pytest.raises(InputError, match="form 1: all"):
        top_reasons(parts, FEATURES, {name: ReasonTemplate("all", "{value}") for name in NAMES})
    with pytest.raises(InputError, match="2 users, but features of 1"):
        top_reasons(parts, FEATURES.head(1), CATALOGUE)


def test_the_bgnbds_part_is_told_without_a_column_and_in_the_callers_words_if_it_has_some() -> None:
    values = np.array([[0.1, 0.0, 0.0, 0.2, 0.3, 0.9], [-0.1, 0.5, 0.0, 0.2, 0.3, -0.9]])
    parts = Contributions((*NAMES, BGNBD), values, np.zeros(2))
    first, second = top_reasons(parts, FEATURES, CATALOGUE).rows(named=True)
    assert first["reason_1_code"] == "rhythm"
    assert first["reason_1_contribution"] == pytest.approx(1.2)
    assert first["reason_1_text"] == "number and timing of purchases so far: associated with a higher churn risk"
    assert second["reason_1_code"] == "frequency"
    own = CATALOGUE | {BGNBD: ReasonTemplate("pattern", "buying pattern")}
    told = top_reasons(parts, FEATURES, own).row(0, named=True)
    assert (told["reason_1_code"], told["reason_1_contribution"]) == ("pattern", 0.9)
    assert told["reason_1_text"] == "buying pattern: associated with a higher churn risk"


def test_a_bgnbd_alone_gives_one_reason_in_the_same_columns() -> None:
    told = rhythm_reasons(Contributions((BGNBD,), np.array([[0.4], [-0.2]]), np.zeros(2)))
    assert told.schema == reasons().schema
    assert told["reason_1_code"].to_list() == ["rhythm", "rhythm"]
    assert told["reason_1_contribution"].to_list() == [0.4, -0.2]
    assert [text.split(": ")[1] for text in told["reason_1_text"]] == [
        "associated with a higher churn risk",
        "speaks for staying",
    ]
    assert told.drop("reason_1_code", "reason_1_text", "reason_1_contribution").null_count().row(0) == (2,) * 6
