"""`churn evaluate`: how the recipe does out of time on a home, printed, and written out for rescoring by others."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from churn_platform.core.bgnbd_scorer import BGNBD
from churn_platform.core.evaluation import CHAMPION, FoldEvaluation
from churn_platform.core.metrics import Interval, PairedScores, pooled_gain
from churn_platform.core.ranked_users import DIRECTED, METRICS, best_by
from churn_platform.core.snapshots import require_folds
from churn_platform.errors import UsageError
from churn_platform.launch import open_instance
from churn_platform.orchestration.shop import Shop
from churn_platform.orchestration.tuned import adopted_tuning, protocol
from churn_platform.registry.candidate import evaluate_folds
from churn_platform.settings import Home
from churn_platform.summary import NAMES
from churn_platform.warehouse.connection import table_exists
from churn_platform.warehouse.lock import WriterLock

# model, metric → the champion's gain over it
Gain = Callable[[str, str], Interval]

WITH_INTERVAL = {"auc": "AUC", "log_loss": "log loss"}
PLAIN = {"ks": "KS", "ece": "ECE"}
RUN_FIRST = "Run 'make demo' or 'churn run' for it first, or name a --dataset."
FILES = {CHAMPION: "scores.parquet", BGNBD: "bgnbd.parquet"}


def evaluate_home(home: Home) -> list[FoldEvaluation]:
    """Train and test the recipe at every fold of the home's snapshot plan; changes nothing in the home.

    Raises:
        UsageError: nothing has been built in the home yet.
        NotEnoughData: the history is too short for an out-of-time test.
    """
    if not home.warehouse_file.exists():
        raise UsageError(f"Nothing has been built in {home.root} yet. {RUN_FIRST}")
    shop = Shop(home_folder=str(home.root))
    with open_instance(home), WriterLock(home.lock_file) as lock:
        lock.acquire("churn evaluate")
        require_folds(shop.plan, shop.history, shop.windows)
        with shop.warehouse() as connection:
            if not table_exists(connection, "training_set"):
                raise UsageError(f"{home.root} has no training set yet. {RUN_FIRST}")
            frame = shop.training_frame(connection)
    tested = protocol(shop, adopted_tuning(shop, frame)[0])
    return list(evaluate_folds(frame, shop.features, shop.plan, tested))


def write_scores(folds: Sequence[FoldEvaluation], out: Path) -> list[Path]:
    """Write DIR/scores.parquet and, where BG/NBD took part, DIR/bgnbd.parquet: customer_id, cutoff, probability.

    Grain (customer_id, cutoff); probability of churn. Customers whose ids are all whole numbers get them as integers.
    """
    out.mkdir(parents=True, exist_ok=True)
    predictions = pl.concat([fold.predictions for fold in folds], how="diagonal")
    written = []
    for model, file in FILES.items():
        if model not in predictions.columns:
            (out / file).unlink(missing_ok=True)  # of an earlier evaluation
            continue
        scores = predictions.select(
            _as_whole_numbers(predictions["user_id"]).alias("customer_id"),
            pl.col("snapshot_date").alias("cutoff"),
            pl.col(model).alias("probability"),
        )
        scores.sort("cutoff", "customer_id").write_parquet(out / file)
        written.append(out / file)
    return written


def print_evaluation(folds: Sequence[FoldEvaluation], console: Console) -> None:
    """One table per fold, the champion's gain over each baseline, its every metric, and its gain in each over the best
    baseline, and the verdict; gains are pooled over the folds."""
    gain = cache(partial(_gain, folds))
    for fold in folds:
        console.print(_fold_table(fold))
    console.print(_gain_table(folds, gain))
    console.print(_metric_table(folds))
    console.print(_best_baseline_table(folds, gain))
    best = _best_baseline(folds, "auc")
    console.print(verdict(NAMES[best], gain(best, "auc")), highlight=False, markup=False, soft_wrap=True)


def _as_whole_numbers(ids: pl.Series) -> pl.Series:
    numbers = ids.cast(pl.Int64, strict=False)
    return numbers if not numbers.has_nulls() and (numbers.cast(pl.String) == ids).all() else ids


def _models(fold: FoldEvaluation) -> list[str]:
    return [model for model in NAMES if model in fold.predictions.columns]


def _fold_table(fold: FoldEvaluation) -> Table:
    snapshots = fold.training_snapshots
    table = Table(
        title=f"Fold {fold.fold}: {fold.users:,} customers, {fold.churn_rate:.1%} churned [95 % interval]",
        caption=f"trained on {fold.training_rows:,} rows of {len(snapshots)} snapshots, {snapshots[0]} to "
        f"{snapshots[-1]}\n{_calibration(fold)}",
        caption_justify="left",
        title_justify="left",
    )
    table.add_column("model", no_wrap=True)
    for name in (*WITH_INTERVAL.values(), *PLAIN.values()):
        table.add_column(name, justify="right", no_wrap=True)
    for model in _models(fold):
        found = {row["metric"]: row for row in fold.rows.filter(model=model).iter_rows(named=True)}
        plain = (f"{found[metric]['value']:.3f}" for metric in PLAIN)
        table.add_row(NAMES[model], *(_with_interval(found[metric]) for metric in WITH_INTERVAL), *plain)
    return table


def _calibration(fold: FoldEvaluation) -> str:
    season = fold.champion.season
    added = season.year_before(fold.fold)
    level = f"calibration: {season.level:+.2f} in the log-odds by the churn of the latest snapshots"
    if added is None:
        return f"{level};\nnothing for the season: no training snapshot is near the same date of the year before"
    return f"{level}, {added:+.2f} by the same date of the year before"


def _gain_table(folds: Sequence[FoldEvaluation], gain: Gain) -> Table:
    table = Table(
        title=f"The churn model's gain over each, mean of {len(folds)} folds [95 % interval, paired]",
        title_justify="left",
    )
    for name in ("model", "mean AUC", "gain in AUC", "gain in log loss"):
        table.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
    for model in _models(folds[0]):
        compared = () if model == CHAMPION else ("auc", "log_loss")
        gains = [_signed(gain(model, metric)) for metric in compared]
        table.add_row(NAMES[model], f"{_mean(folds, model, 'auc'):.4f}", *gains)
    return table


def _metric_table(folds: Sequence[FoldEvaluation]) -> Table:
    table = Table(title="Every metric of the churn model, by fold [95 % interval]", title_justify="left")
    table.add_column("metric", no_wrap=True)
    for fold in folds:
        table.add_column(str(fold.fold), justify="right", no_wrap=True)
    for metric in METRICS:
        found = (fold.rows.filter(model=CHAMPION, metric=metric).to_dicts() for fold in folds)
        table.add_row(metric, *(_with_interval(rows[0]) if rows else "" for rows in found))
    return table


def verdict(baseline: str, gain: Interval) -> str:
    """Whether the churn model beats a baseline, by its gain in AUC."""
    told = f"the best baseline, {baseline} (gain in AUC {_signed(gain)})"
    if gain.lower > 0:
        return f"The churn model beats {told}."
    return (
        f"The churn model is worse than {told}." if gain.upper < 0 else f"The churn model does not clearly beat {told}."
    )


def _best_baseline(folds: Sequence[FoldEvaluation], metric: str) -> str:
    means = {model: _mean(folds, model, metric) for model in _models(folds[0]) if model != CHAMPION}
    return best_by(metric, means)


def _best_baseline_table(folds: Sequence[FoldEvaluation], gain: Gain) -> Table:
    table = Table(
        title=f"Its gain over the best baseline in each metric, mean of {len(folds)} folds [95 % interval, paired]",
        title_justify="left",
    )
    for name in ("metric", "mean", "best baseline", "gain over it"):
        table.add_column(name, justify="left" if name in ("metric", "best baseline") else "right", no_wrap=True)
    for metric in DIRECTED:
        best = _best_baseline(folds, metric)
        table.add_row(metric, f"{_mean(folds, CHAMPION, metric):.4f}", NAMES[best], _signed(gain(best, metric)))
    return table


def _mean(folds: Sequence[FoldEvaluation], model: str, metric: str) -> float:
    return float(np.mean([fold.rows.filter(model=model, metric=metric)["value"][0] for fold in folds]))


def _gain(folds: Sequence[FoldEvaluation], model: str, metric: str) -> Interval:
    pairs = [
        PairedScores(fold.predictions["user_id"], fold.predictions["churned"], fold.predictions[CHAMPION],
                     fold.predictions[model])
        for fold in folds
    ]  # fmt: skip
    return pooled_gain(pairs, metric, capacity=folds[0].capacity)


def _signed(gain: Interval) -> str:
    return f"{gain.value:+.4f} [{gain.lower:+.4f}, {gain.upper:+.4f}]"


def _with_interval(row: dict[str, float]) -> str:
    return f"{row['value']:.3f} [{row['lower']:.3f}, {row['upper']:.3f}]"
