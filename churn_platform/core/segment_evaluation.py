"""How good churn probabilities are within segments: a model can be good on the whole and poor for new customers."""

import polars as pl

from churn_platform.core.curves import wilson_interval
from churn_platform.core.metrics import evaluate
from churn_platform.errors import InputError

METRICS = ("auc", "ks", "log_loss", "brier", "ece")

_SCHEMA = {
    "fold": pl.Date,
    "segment": pl.String,
    "metric": pl.String,
    "value": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
}


def evaluate_segments(predictions: pl.DataFrame, *, resamples: int = 1000, seed: int = 0) -> pl.DataFrame:
    """Users, churn rate, mean probability and METRICS of every segment at every fold.

    Args:
        predictions: grain (fold, user_id) with segment (as of the fold), churned (0 or 1) and probability.

    Returns:
        Grain (fold, segment, metric), ordered: value, with its 95 % interval: of the churn rate Wilson's, of METRICS by
        resampling customers. METRICS are left out where a segment has churners only, or stayers only.

    Raises:
        InputError: a customer has no segment.
    """
    if predictions["segment"].null_count():
        raise InputError(
            f"{predictions['segment'].null_count()} of {predictions.height} predictions have no segment. Give every "
            "customer of the folds one."
        )
    rows: list[tuple[object, str, str, float, float | None, float | None]] = []
    for (fold, segment), users in predictions.sort("fold", "segment", "user_id").group_by(
        "fold", "segment", maintain_order=True
    ):
        outcome, probability = users["churned"].cast(pl.Float64).to_numpy(), users["probability"].to_numpy()
        name, rate = str(segment), float(outcome.mean())
        lower, upper = wilson_interval(rate, users.height)
        rows += [
            (fold, name, "users", float(users.height), None, None),
            (fold, name, "churn_rate", rate, float(lower), float(upper)),
            (fold, name, "mean_probability", float(probability.mean()), None, None),
        ]
        if 0 < rate < 1:
            found = evaluate(outcome, probability, capacity=users.height, resamples=resamples, seed=seed)
            rows += [
                (fold, name, metric, found[metric].value, found[metric].lower, found[metric].upper)
                for metric in METRICS
            ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")
