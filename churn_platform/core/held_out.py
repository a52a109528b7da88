"""How well the recipe does on customers whom it has not seen, at the very snapshots that it learnt from.

Between the in-sample and the out-of-time figures: what is lost from the first to this one is overfitting, what is lost
from this one to the last is the change of times.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.metrics import auc

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SHARE = 0.2


def held_out(users: pl.Series) -> Mask:
    """True for the rows of the fifth of the customers, by a hash of the id, whom a model for this test does not see."""
    drawn = {user: _draw(str(user)) < _SHARE for user in users.unique().to_list()}
    return np.array([drawn[user] for user in users.to_list()], dtype=np.bool_)


def held_out_auc(
    training: pl.DataFrame,
    features: Sequence[str],
    champion: ChurnModel,
    window_days: int,
    parameters: BoostingParameters | None = None,
) -> float | None:
    """The mean AUC over the training snapshots on held-out customers, of a model trained on the others.

    It takes the champion's rounds and weights. None where either part of the customers has one outcome only.

    Args:
        training: grain (snapshot_date, user_id) with churned and the features.
        window_days: lead plus horizon.
    """
    apart = held_out(training["user_id"])
    seen, unseen = training.filter(~apart), training.filter(apart)
    if seen["churned"].n_unique() < 2 or unseen["churned"].n_unique() < 2:
        return None
    margin = champion.trained_alike(
        seen.select(features),
        seen["churned"].to_numpy(),
        seen["snapshot_date"],
        window_days=window_days,
        parameters=parameters,
    ).predict_margin(unseen)
    return snapshot_auc(unseen["snapshot_date"], unseen["churned"].to_numpy(), margin)


def snapshot_auc(snapshot_date: pl.Series, outcome: Floats, score: Floats) -> float:
    """The mean AUC over the snapshots on which somebody churned and somebody stayed, else the AUC over all rows.

    A fold is one snapshot too, so that the two can be compared.
    """
    days = snapshot_date.to_numpy()
    each = [days == day for day in np.unique(days)]
    mixed = [at for at in each if len(np.unique(outcome[at])) > 1] or [np.ones(len(days), dtype=np.bool_)]
    return float(np.mean([auc(outcome[at], score[at]) for at in mixed]))


def _draw(user: str) -> float:
    """A number in [0, 1), uniform over customers."""
    return int.from_bytes(hashlib.sha256(f"held out\x1f{user}".encode()).digest()[:7], "big") / 2**56
