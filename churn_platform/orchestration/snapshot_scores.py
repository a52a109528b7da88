"""The scores of a snapshot, made for some of its customers at a time: only scores are held of all, not features."""

from collections.abc import Callable, Iterable
from functools import partial

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.core.scoring import Bands, Stamp, score
from churn_platform.errors import NotEnoughData
from churn_platform.orchestration.feature_tables import all_features
from churn_platform.orchestration.ladder import MODEL, Scorer, choose_scorer
from churn_platform.orchestration.shop import Shop
from churn_platform.warehouse.frames import read_frame, read_parts

Flags = NDArray[np.bool_]

CUSTOMERS_AT_ONCE = 50_000
# Exact contributions take a thousand times as long as a score: they are for those whom a campaign may reach.
EXACT_REASONS = 100_000

ELIGIBLE_USERS = "SELECT user_id FROM user_features WHERE snapshot_date = $newest AND is_eligible ORDER BY user_id"


def score_snapshot(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The rows of churn_scores of the newest snapshot, by the highest rung that may score.

    Raises:
        NotEnoughData: nobody is eligible, or as `choose_scorer`.
        InputError: as `choose_scorer`, or a feature of the champion is missing.
    """
    definition, newest = shop.definition, shop.plan.newest
    eligible = read_frame(connection, ELIGIBLE_USERS, {"newest": newest})["user_id"]
    if eligible.is_empty():
        raise NotEnoughData(
            f"No customer had an activity ({', '.join(definition.churn.activity)}) in the "
            f"{definition.churn.lookback_days} days before {newest}, so there is nobody to score. "
            "Load newer events, or lengthen lookback_days in churn.toml."
        )
    scorer = choose_scorer(shop, connection)
    stamp = Stamp(
        snapshot=newest,
        scored_by=scorer.rung,
        model_version=scorer.version,
        definition_version=definition.version,
        horizon_days=definition.churn.horizon_days,
        valid_days=definition.scores.valid_days,
    )
    parts = partial(
        read_parts, connection, customers_to_score(), {"newest": newest}, keys=eligible, rows=CUSTOMERS_AT_ONCE
    )
    return score_parts(parts, scorer, shop.bands, stamp)


def customers_to_score() -> str:
    """SQL that selects the eligible customers from $first to $last at the snapshot $newest, in the order of their ids:
    their features, and expected_value."""
    return (
        f"SELECT features.*, coalesce(spend_if_staying, 0) AS expected_value FROM (FROM {all_features()}) AS features"
        " LEFT JOIN purchase_forecast USING (snapshot_date, user_id)"
        " WHERE snapshot_date = $newest AND features.is_eligible AND user_id BETWEEN $first AND $last ORDER BY user_id"
    )


def score_parts(
    parts: Callable[[], Iterable[pl.DataFrame]], scorer: Scorer, bands: Bands, stamp: Stamp
) -> pl.DataFrame:
    """The rows of churn_scores, in the order of the parts, of which there is at least one.

    The customers are gone through twice: once for their scores, and, once it is known who is at the highest risk, for
    their reasons, which are exact for the EXACT_REASONS of these.

    Args:
        parts: gives the customers of the snapshot anew each time it is called, in the same order: user_id,
            expected_value, snapshot_date and the features.
    """
    scored = [_scored(users, scorer) for users in parts()]
    customers = pl.concat(scored)
    risk = customers["probability"].to_numpy()
    exact = _riskiest(risk, EXACT_REASONS if scorer.rung == MODEL else len(risk))
    ends = np.cumsum([part.height for part in scored])
    reasons = [
        _reasons(users, exact[end - users.height : end], scorer) for users, end in zip(parts(), ends, strict=True)
    ]
    return score(customers, customers["margin"].to_numpy(), risk, pl.concat(reasons), bands, stamp)


def _scored(users: pl.DataFrame, scorer: Scorer) -> pl.DataFrame:
    margin = scorer.margin(users)
    return users.select(
        "user_id",
        "expected_value",
        margin=pl.Series(margin, dtype=pl.Float64),
        probability=pl.Series(scorer.probability(margin, users), dtype=pl.Float64),
    )


def _riskiest(risk: NDArray[np.float64], number: int) -> Flags:
    """Whether a customer is among so many at the highest risk; of equal ones the earlier is."""
    chosen = np.zeros(len(risk), dtype=np.bool_)
    chosen[np.argsort(-risk, kind="stable")[:number]] = True
    return chosen


def _reasons(users: pl.DataFrame, exact: Flags, scorer: Scorer) -> pl.DataFrame:
    order = np.argsort(~exact, kind="stable")
    told = [
        scorer.explain(users.filter(chosen), how).with_columns(reasons_exact=pl.lit(how))
        for chosen, how in ((exact, True), (~exact, False))
        if chosen.any()
    ]
    return pl.concat(told)[np.argsort(order)]
