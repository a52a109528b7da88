"""Who is contacted: by expected profit under a budget, with a random holdout to measure the effect against."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from churn_platform.core.reason_words import Language


@dataclass(frozen=True)
class Economics:
    """What a contact costs and may bring, in the shop's currency.

    Attributes:
        budget: most that the contacts of one list may cost.
        contact_cost: cost of one contact.
        margin: profit per unit of spend.
        save_rate: share of would-be churners whom the action keeps.
        holdout_share: share of the selected who are left alone, at random.
        action: what is done with those contacted.
    """

    budget: float
    contact_cost: float
    margin: float
    save_rate: float
    holdout_share: float
    action: str


@dataclass(frozen=True)
class DecisionWords:
    """Why a customer is in an arm."""

    at_a_loss: str
    beyond_budget: str
    held_out: str
    treated: str


DECISION_WORDS: Mapping[Language, DecisionWords] = {
    "en": DecisionWords(
        at_a_loss="a contact is expected to cost more than it brings",
        beyond_budget="the budget is spent on customers with more at stake",
        held_out="held out at random to measure the effect",
        treated="high value at risk within the budget",
    ),
    "zh": DecisionWords(
        at_a_loss="预计触达成本高于收益",
        beyond_budget="预算已用于风险价值更高的客户",
        held_out="随机留作对照组，用于衡量效果",
        treated="风险价值高且在预算之内",
    ),
}


def decide(scores: pl.DataFrame, economics: Economics, list_id: str, language: Language = "en") -> pl.DataFrame:
    """Rank by value at risk, select what the budget allows, and hold some of the selected out at random.

    Expected profit of a contact = value at risk × save rate × margin − contact cost, with value at risk = churn
    probability × expected spend over the horizon of a customer who stays. Only contacts that are expected to pay are
    selected. The holdout is drawn by a hash of (list, user), so the same list is always split alike and no user is
    held out of every list.

    Args:
        scores: one row per user: user_id, churn_probability, expected_value, value_at_risk.
        list_id: identity of the list; the seed of the draw.
        language: of decision_reason.

    Returns:
        One row per user in order of rank: list_id, user_id, arm (treat, holdout, not_selected), action (null unless
        treated), expected_profit, rank (1 = most at stake), churn_probability, value_at_risk, decision_reason.
    """
    ranked = scores.sort(["value_at_risk", "user_id"], descending=[True, False]).with_columns(
        rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        expected_profit=pl.col("value_at_risk") * economics.save_rate * economics.margin - economics.contact_cost,
        draw=pl.col("user_id").map_elements(lambda user: _draw(list_id, user), return_dtype=pl.Float64),
    )
    pays = pl.col("expected_profit") > 0
    held = pays & (pl.col("draw") < economics.holdout_share)
    # whether the budget reaches a user must not depend on the user's own draw, else the two arms are different people
    treated_before = (pays & ~held).cast(pl.Int64).cum_sum().shift(1, fill_value=0)
    affordable = (treated_before + 1) * economics.contact_cost <= economics.budget
    told = DECISION_WORDS[language]
    # the first case that holds decides
    cases = [
        (~pays, "not_selected", told.at_a_loss),
        (~affordable, "not_selected", told.beyond_budget),
        (held, "holdout", told.held_out),
    ]
    arm, reason = pl.lit("treat"), pl.lit(told.treated)
    for condition, its_arm, its_reason in reversed(cases):
        arm = pl.when(condition).then(pl.lit(its_arm)).otherwise(arm)
        reason = pl.when(condition).then(pl.lit(its_reason)).otherwise(reason)
    return ranked.with_columns(arm=arm, decision_reason=reason).select(
        pl.lit(list_id).alias("list_id"),
        "user_id",
        "arm",
        pl.when(pl.col("arm") == "treat").then(pl.lit(economics.action)).alias("action"),
        "expected_profit",
        "rank",
        "churn_probability",
        "value_at_risk",
        "decision_reason",
    )


def _draw(list_id: str, user_id: str) -> float:
    """A number in [0, 1) that is uniform over users and fixed for a (list, user)."""
    return int.from_bytes(hashlib.sha256(f"{list_id}\x1f{user_id}".encode()).digest()[:7], "big") / 2**56
