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
from churn_platform.core.snapshot_means import snapshot_means

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Beside the AUC, of the champion, in sample and out of sample.
FITTED_METRICS = ("ks", "pr_auc", "log_loss", "brier", "ece")

_SHARE = 0.2


def held_out(users: pl.Series) -> Mask:
    """True for the rows of the fifth of the customers, by a hash of the id, whom a model for this test does not see."""
    drawn = {user: _draw(str(user)) < _SHARE for user in users.unique().to_list()}
    return np.array([drawn[user] for user in users.to_list()], dtype=np.bool_)


def fitted_metrics(model: ChurnModel, rows: pl.DataFrame, margin: Floats) -> dict[str, float]:
    """AUC and FITTED_METRICS of what a model says of its training snapshots, each metric by `snapshot_means`.

    The probabilities are `ChurnModel.fitted_probability`: what the churn of each snapshot taught of its level is known
    here, and only here. By the probabilities that the model would give these days today, the calibration error on the
    rows of Online Retail II that were learnt from for the fold of 2011-09-09 is .085 rather than .042, and .017 at the
    fold: most training snapshots have no year before, from which to know their season.

    Args:
        rows: grain (snapshot_date, user_id) with churned, of snapshots that the model was trained on; in sample those
            that it learnt from, out of sample those of other customers.
        margin: the model's, one per row.
    """
    days, outcome = rows["snapshot_date"], rows["churned"].to_numpy()
    probability = model.fitted_probability(margin, days)
    return snapshot_means(days, outcome, margin, ["auc"]) | snapshot_means(days, outcome, probability, FITTED_METRICS)


def held_out_metrics(
    training: pl.DataFrame,
    features: Sequence[str],
    champion: ChurnModel,
    window_days: int,
    parameters: BoostingParameters | None = None,
) -> dict[str, float]:
    """`fitted_metrics` on held-out customers, of a model trained on the others; empty where either part of the
    customers has one outcome only.

    It takes the champion's rounds and weights. A snapshot of which it saw nobody is left out.

    Args:
        training: grain (snapshot_date, user_id) with churned and the features.
        window_days: lead plus horizon.
    """
    apart = held_out(training["user_id"])
    seen = training.filter(~apart)
    unseen = training.filter(apart).join(seen.select("snapshot_date").unique(), on="snapshot_date", how="semi")
    if seen["churned"].n_unique() < 2 or unseen["churned"].n_unique() < 2:
        return {}
    model = champion.trained_alike(
        seen.select(features),
        seen["churned"].to_numpy(),
        seen["snapshot_date"],
        window_days=window_days,
        parameters=parameters,
    )
    return fitted_metrics(model, unseen, model.predict_margin(unseen))


def _draw(user: str) -> float:
    """A number in [0, 1), uniform over customers."""
    return int.from_bytes(hashlib.sha256(f"held out\x1f{user}".encode()).digest()[:7], "big") / 2**56
