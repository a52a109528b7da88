"""The campaign decision: its laws on any scores, and the draw over many users and lists."""

import re
from dataclasses import replace
from math import sqrt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.core.campaign import Economics, decide

TERMS = Economics(budget=100.0, contact_cost=1.0, margin=0.3, save_rate=0.1, holdout_share=0.1, action="offer")
REASONS = {
    "treat": {"high value at risk within the budget"},
    "holdout": {"held out at random to measure the effect"},
    "not_selected": {
        "a contact is expected to cost more than it brings",
        "the budget is spent on customers with more at stake",
    },
}

terms_of_any_shop = st.builds(
    Economics,
    budget=st.floats(0, 30, allow_nan=False),
    contact_cost=st.sampled_from([0.1, 0.3, 1.0, 2.5]),
    margin=st.floats(0, 1),
    save_rate=st.floats(0, 1),
    holdout_share=st.floats(0, 1),
    action=st.just("offer"),
)
values_at_risk = st.lists(st.floats(0, 200), max_size=40)


def scores(values: list[float]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": [f"u{number}" for number in range(len(values))],
            "churn_probability": [0.5] * len(values),
            "expected_value": [2 * value for value in values],
            "value_at_risk": values,
        },
        schema={
            "user_id": pl.String,
            "churn_probability": pl.Float64,
            "expected_value": pl.Float64,
            "value_at_risk": pl.Float64,
        },
    )


def arms(frame: pl.DataFrame) -> dict[str, str]:
    return dict(frame.select("user_id", "arm").rows())


@given(values=values_at_risk, terms=terms_of_any_shop)
def test_the_budget_holds_and_is_used(values: list[float], terms: Economics) -> None:
    decided = decide(scores(values), terms, "list-1")
    treated = decided.filter(pl.col("arm") == "treat").height
    assert treated * terms.contact_cost <= terms.budget
    if decided["decision_reason"].str.starts_with("the budget").any():
        assert (treated + 1) * terms.contact_cost > terms.budget


@given(values=values_at_risk, terms=terms_of_any_shop)
def test_nobody_is_selected_at_a_loss(values: list[float], terms: Economics) -> None:
    decided = decide(scores(values), terms, "list-1")
    selected = decided.filter(pl.col("arm") != "not_selected")
    assert (selected["expected_profit"] > 0).all()
    for row in decided.iter_rows(named=True):
        profit = row["value_at_risk"] * terms.save_rate * terms.margin - terms.contact_cost
        assert row["expected_profit"] == pytest.approx(profit)
        at_a_loss = row["decision_reason"].startswith("a contact is expected to cost more")
        assert at_a_loss == (row["expected_profit"] <= 0)


@given(values=values_at_risk, terms=terms_of_any_shop)
def test_everybody_is_ranked_once_by_what_is_at_stake(values: list[float], terms: Economics) -> None:
    decided = decide(scores(values), terms, "list-1")
    assert decided["rank"].to_list() == list(range(1, len(values) + 1))
    assert decided["value_at_risk"].to_list() == sorted(values, reverse=True)
    assert sorted(decided["user_id"]) == sorted(scores(values)["user_id"])


@given(values=values_at_risk, terms=terms_of_any_shop)
def test_each_arm_has_its_reason_and_only_the_treated_an_action(values: list[float], terms: Economics) -> None:
    for row in decide(scores(values), terms, "list-1").iter_rows(named=True):
        assert row["decision_reason"] in REASONS[row["arm"]]
        assert row["action"] == ("offer" if row["arm"] == "treat" else None)
        assert row["list_id"] == "list-1"


@given(values=values_at_risk, terms=terms_of_any_shop, seed=st.integers(0, 1000))
def test_the_order_of_the_scores_does_not_matter(values: list[float], terms: Economics, seed: int) -> None:
    given_scores = scores(values)
    mixed = given_scores.sample(fraction=1, shuffle=True, seed=seed)
    assert decide(mixed, terms, "list-1").equals(decide(given_scores, terms, "list-1"))


@given(values=values_at_risk, terms=terms_of_any_shop)
def test_who_is_selected_stops_at_one_rank(values: list[float], terms: Economics) -> None:
    """Else the holdout would be drawn from other customers than the treated are."""
    selected = [arm != "not_selected" for arm in decide(scores(values), terms, "list-1")["arm"]]
    assert selected == sorted(selected, reverse=True)


@given(values=values_at_risk, terms=terms_of_any_shop)
def test_nobody_is_held_out_whom_the_budget_would_not_have_reached(values: list[float], terms: Economics) -> None:
    treated = 0
    for arm in decide(scores(values), terms, "list-1")["arm"]:
        if arm != "not_selected":
            assert (treated + 1) * terms.contact_cost <= terms.budget
        treated += arm == "treat"


def test_without_a_budget_nobody_is_treated_and_nobody_is_held_out() -> None:
    decided = decide(scores([900.0] * 200), replace(TERMS, budget=0.0, holdout_share=0.5), "list-1")
    assert set(decided["arm"]) == {"not_selected"}


@pytest.mark.parametrize(("share", "arm"), [(0.0, "treat"), (1.0, "holdout")])
def test_the_ends_of_the_holdout_share(share: float, arm: str) -> None:
    decided = decide(scores([900.0] * 50), replace(TERMS, holdout_share=share), "list-1")
    assert set(decided["arm"]) == {arm}


def test_equal_stakes_are_ranked_by_user() -> None:
    decided = decide(scores([50.0] * 5), TERMS, "list-1")
    assert decided["user_id"].to_list() == ["u0", "u1", "u2", "u3", "u4"]


def test_nobody_to_decide_on_gives_an_empty_list_of_the_same_columns() -> None:
    empty, full = decide(scores([]), TERMS, "list-1"), decide(scores([100.0]), TERMS, "list-1")
    assert empty.is_empty()
    assert empty.columns == full.columns


@settings(max_examples=15)
@given(list_id=st.text(max_size=12), share=st.sampled_from([0.05, 0.1, 0.5]))
def test_the_holdout_is_the_share_of_the_selected_on_any_list(list_id: str, share: float) -> None:
    users = 4000
    decided = decide(scores([900.0] * users), replace(TERMS, budget=1e9, holdout_share=share), list_id)
    held = (decided["arm"] == "holdout").mean()
    assert abs(float(str(held)) - share) < 5 * sqrt(share * (1 - share) / users)


def test_two_lists_are_split_independently_and_one_list_always_alike() -> None:
    users, terms = 20_000, replace(TERMS, budget=1e9, holdout_share=0.2)
    first, again, second = (arms(decide(scores([900.0] * users), terms, name)) for name in ("a", "a", "b"))
    assert first == again
    both = sum(first[user] == second[user] == "holdout" for user in first)
    assert abs(both - 0.04 * users) < 5 * sqrt(0.04 * 0.96 * users)


@given(values=values_at_risk, terms=terms_of_any_shop)
def test_the_language_changes_the_reasons_words_and_no_decision(values: list[float], terms: Economics) -> None:
    english, chinese = (decide(scores(values), terms, "list-1", language) for language in ("en", "zh"))
    assert english.drop("decision_reason").equals(chinese.drop("decision_reason"))
    pairs = set(zip(english["decision_reason"], chinese["decision_reason"], strict=True))
    assert len(pairs) == len({told for told, _ in pairs}) == len({told for _, told in pairs})
    assert all(told.isascii() for told, _ in pairs) and not any(re.search("[A-Za-z]", told) for _, told in pairs)
