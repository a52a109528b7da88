"""`make bench-truth`: the demo's scores beside the simulated shop's own law.

Only here is the best possible score known: that of an observer who knows the law by which the shop was made and sees
all purchases, contacts and signups (`observable_churn_probability`), and, out of anybody's reach, that of one who also
knows every customer's hidden nature (`true_churn_probability`). Every figure is an expectation over that nature's
probabilities, so that the luck of one outcome does not enter.
"""

import argparse
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from churn_platform.settings import REPOSITORY
from churn_platform.simulator.observer import observable_churn_probability
from churn_platform.simulator.seasons import Floats
from churn_platform.simulator.shop import simulate_chunks
from churn_platform.simulator.shop_settings import ShopSettings
from churn_platform.simulator.truth import true_churn_probability
from churn_platform.warehouse.connection import open_database

BINS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=REPOSITORY / "data" / "demo", help="a home that the demo filled")
    parser.add_argument("--customers", type=int, default=ShopSettings().customers, help="only the first so many")
    given = parser.parse_args()
    if not (given.home / "warehouse.duckdb").exists():
        raise SystemExit(f"{given.home} has no scores to judge. Run make demo first, or name another --home.")
    snapshot, horizon, scores = newest_scores(given.home)
    scored = scores.join(possible_scores(snapshot, horizon, given.customers), on="user_id")
    if scored.is_empty():
        raise SystemExit(f"None of the customers scored in {given.home} are the simulated shop's.")
    console = Console(width=120)
    console.print(figures_table(scored, f"{scored.height:,} customers scored as of {snapshot}, {horizon} days"))


def newest_scores(home: Path) -> tuple[date, int, pl.DataFrame]:
    """Snapshot, horizon in days, and the scores by that snapshot: user_id, score."""
    with open_database(home / "warehouse.duckdb", read_only=True) as connection:
        newest = connection.sql(
            "SELECT snapshot_date, horizon_days, user_id, churn_probability AS score FROM churn_scores"
            " WHERE snapshot_date = (SELECT max(snapshot_date) FROM churn_scores) ORDER BY user_id"
        ).pl()
    return newest["snapshot_date"][0], newest["horizon_days"][0], newest.select("user_id", "score")


def possible_scores(snapshot: date, horizon: int, customers: int) -> pl.DataFrame:
    """Grain user_id, of the shop's first customers: observable, true."""
    settings = ShopSettings()

    def both() -> Iterator[pl.DataFrame]:
        for chunk in simulate_chunks(ShopSettings(customers=customers)):
            observable = observable_churn_probability(chunk.events, settings, snapshot, horizon)
            true = true_churn_probability(chunk, snapshot, horizon)
            yield observable.rename({"probability": "observable"}).join(
                true.rename({"probability": "true"}), on="user_id"
            )

    return pl.concat(both())


def expected_auc(true: Floats, score: Floats) -> float:
    """AUC of a score where each customer churns with a known probability."""
    outcome = np.repeat([1, 0], true.size)
    return float(roc_auc_score(outcome, np.tile(score, 2), sample_weight=np.concatenate([true, 1 - true])))


def expected_ece(true: Floats, score: Floats) -> float:
    """Mean distance of score and probability over tenths of the customers by score."""
    tenths = np.array_split(np.argsort(score, kind="stable"), BINS)
    return float(np.mean([abs(score[tenth].mean() - true[tenth].mean()) for tenth in tenths]))


def figures_table(scored: pl.DataFrame, title: str) -> Table:
    """Columns score, observable and true of `scored`, each judged by `true`."""
    true, observable = scored["true"].to_numpy(), scored["observable"].to_numpy()
    best = expected_auc(true, observable) - 0.5
    table = Table(title=title)
    for heading in ("scorer", "expected AUC", "of the way to the best observer", "mean", "ECE"):
        table.add_column(heading, justify="left" if heading == "scorer" else "right")
    for name, column in (("churn_scores", "score"), ("best observer", "observable"), ("hidden natures", "true")):
        score = scored[column].to_numpy()
        auc = expected_auc(true, score)
        table.add_row(
            name, f"{auc:.4f}", f"{(auc - 0.5) / best:.1%}", f"{score.mean():.1%}", f"{expected_ece(true, score):.4f}"
        )
    return table


if __name__ == "__main__":
    main()
