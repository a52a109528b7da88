"""`make bench-truth`: the demo's model, out of time, beside the simulated shop's own law.

Only here is it known how well churn can be told at all. Two scorers know the law by which the shop was made: the best
observer of all purchases, contacts and signups (`observable_churn_probability`), and one who also knows every
customer's hidden nature, which no data tell (`true_churn_probability`). Neither reads visits, which fade before a
customer leaves, so a model that does can be better than the observer. That is why all are judged by what the customers
did: measured by the law's probabilities, whoever knows more than purchases and contacts would only seem to be wrong.
What the law does tell without any outcome is the level of the newest scores.

Exits with 1 if the model ranks worse than LEAST_SHARE asks, or the newest scores are as far off as MOST_ECE. The ECE of
the folds has no goal: unlike the newest scores, they have no year before them to learn the season from.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from churn_platform.core.metrics import PairedScores, auc, ece, log_loss, pooled_gain
from churn_platform.orchestration.model_reports import read_predictions
from churn_platform.orchestration.shop import Shop
from churn_platform.settings import REPOSITORY
from churn_platform.simulator.observer import observable_churn_probability
from churn_platform.simulator.seasons import Floats
from churn_platform.simulator.shop import simulate_chunks
from churn_platform.simulator.shop_settings import ShopSettings
from churn_platform.simulator.truth import true_churn_probability
from churn_platform.warehouse.connection import open_database

LEAST_SHARE = 0.97  # of the best observer's way up from an AUC of 0.5
MOST_ECE = 0.02  # of the newest scores by the law; they have to be under it

BINS = 10
# Column of the scores → what the table calls it.
SCORERS = {"probability": "churn model", "observable": "best observer", "true": "hidden natures"}


@dataclass(frozen=True)
class Verdict:
    """Whether a goal is met, and the figure that says so."""

    met: bool
    told: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=REPOSITORY / "data" / "demo", help="a home that the demo filled")
    parser.add_argument("--customers", type=int, default=ShopSettings().customers, help="only the first so many")
    given = parser.parse_args()
    if not (given.home / "warehouse.duckdb").exists():
        raise SystemExit(f"{given.home} has no model to judge. Run make demo first, or name another --home.")
    shop = Shop(home_folder=str(given.home))
    version, horizon = str(shop.registry.candidate()), shop.windows.horizon
    tested = read_predictions(shop, version).filter("is_eligible")
    judged = pl.concat(beside_the_law(tested, horizon, ShopSettings(customers=given.customers)))
    if judged.is_empty():
        raise SystemExit(f"None of the customers tested in {given.home} are the simulated shop's.")
    title = f"Model {version}, {horizon} days from {', '.join(map(str, judged['fold'].unique().sort()))}: mean of folds"
    console = Console(width=120)
    newest = newest_by_the_law(newest_scores(given.home), horizon, given.customers)
    console.print(figures_table(judged, title), level(newest))
    model, observer = (mean_of_folds(judged, auc, scorer) for scorer in ("probability", "observable"))
    judgement = verdicts(model, observer, expected_ece(newest["law"].to_numpy(), newest["score"].to_numpy()))
    for verdict in judgement:
        console.print(f"{'met' if verdict.met else 'MISSED'}: {verdict.told}")
    if not all(verdict.met for verdict in judgement):
        raise SystemExit(1)


def verdicts(model_auc: float, observer_auc: float, newest_ece: float) -> tuple[Verdict, Verdict]:
    """One per goal: how well the model ranks, and how near the newest scores are to the law. NaN misses a goal."""
    share = (model_auc - 0.5) / (observer_auc - 0.5)
    return (
        Verdict(
            share >= LEAST_SHARE,
            f"the model's AUC is {share:.1%} of the way from 0.5 to the best observer's; at least {LEAST_SHARE:.0%}",
        ),
        Verdict(
            newest_ece < MOST_ECE, f"the ECE of the newest scores by the law is {newest_ece:.4f}; under {MOST_ECE}"
        ),
    )


def newest_scores(home: Path) -> pl.DataFrame:
    """Grain user_id: snapshot_date, user_id, score, of the newest snapshot."""
    with open_database(home / "warehouse.duckdb", read_only=True) as connection:
        return connection.sql(
            "SELECT snapshot_date, user_id, churn_probability AS score FROM churn_scores"
            " WHERE snapshot_date = (SELECT max(snapshot_date) FROM churn_scores) ORDER BY user_id"
        ).pl()


def newest_by_the_law(scores: pl.DataFrame, horizon: int, customers: int) -> pl.DataFrame:
    """The scores of one snapshot, with `law`: what the law says of the same customers."""
    snapshot: date = scores["snapshot_date"][0]
    chunks = simulate_chunks(ShopSettings(customers=customers))
    true = pl.concat(true_churn_probability(chunk, snapshot, horizon) for chunk in chunks)
    return scores.join(true.rename({"probability": "law"}), on="user_id")


def level(newest: pl.DataFrame) -> str:
    """What the newest scores say on average, and what the law says of the same customers."""
    score, law = newest["score"].to_numpy(), newest["law"].to_numpy()
    return (
        f"{newest.height:,} customers scored as of {newest['snapshot_date'][0]}:"
        f" mean {score.mean():.1%}, by the law {law.mean():.1%}"
    )


def expected_ece(true: Floats, score: Floats) -> float:
    """Mean distance of score and probability over tenths of the customers by score."""
    tenths = np.array_split(np.argsort(score, kind="stable"), BINS)
    return float(np.mean([abs(score[tenth].mean() - true[tenth].mean()) for tenth in tenths]))


def beside_the_law(tested: pl.DataFrame, horizon: int, settings: ShopSettings) -> Iterator[pl.DataFrame]:
    """The customers tested, chunk by chunk and fold by fold, with `observable` and `true`.

    Args:
        tested: grain (fold, user_id) with churned and probability.
    """
    for chunk in simulate_chunks(settings):
        for (fold,), customers in tested.group_by("fold", maintain_order=True):
            snapshot: date = fold  # type: ignore[assignment]
            events = chunk.events.filter(pl.col("customer").is_in(customers["user_id"].implode()))
            observable = observable_churn_probability(events, settings, snapshot, horizon)
            true = true_churn_probability(chunk, snapshot, horizon)
            yield customers.join(observable.rename({"probability": "observable"}), on="user_id").join(
                true.rename({"probability": "true"}), on="user_id"
            )


def mean_of_folds(judged: pl.DataFrame, metric: Callable[[pl.Series, pl.Series], float], scorer: str) -> float:
    """The metric of one of the SCORERS by what the customers did, fold by fold, each fold counting alike."""
    folds = judged.group_by("fold", maintain_order=True)
    return float(np.mean([metric(fold["churned"], fold[scorer]) for _, fold in folds]))


def figures_table(judged: pl.DataFrame, title: str) -> Table:
    """Each of the SCORERS by what the customers did, as means over folds; the gain has its 95 % interval, paired."""
    folds = [fold for _, fold in judged.group_by("fold", maintain_order=True)]

    table = Table(title=title)
    for heading in ("scorer", "AUC", "gain over the best observer", "share of the way", "log loss", "ECE"):
        table.add_column(heading, justify="left" if heading == "scorer" else "right")
    best = mean_of_folds(judged, auc, "true") - 0.5
    for scorer, name in SCORERS.items():
        pairs = [PairedScores(fold["user_id"], fold["churned"], fold[scorer], fold["observable"]) for fold in folds]
        gain = pooled_gain(pairs, "auc")
        table.add_row(
            name,
            f"{mean_of_folds(judged, auc, scorer):.4f}",
            f"{gain.value:+.4f} [{gain.lower:+.4f}, {gain.upper:+.4f}]",
            f"{(mean_of_folds(judged, auc, scorer) - 0.5) / best:.1%}",
            f"{mean_of_folds(judged, log_loss, scorer):.4f}",
            f"{mean_of_folds(judged, ece, scorer):.4f}",
        )
    return table


if __name__ == "__main__":
    main()
