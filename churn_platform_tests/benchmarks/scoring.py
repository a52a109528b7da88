"""`make bench-scoring`: scores and reasons beside XGBoost's own predictions on the same matrix, in the same run.

The champion of a home (`make demo` makes one) scores a million customers, drawn from those of its newest snapshot. Bare
is a loop over the model's boosters with nothing around it; the platform's side also reads the frame, blends, and words
the reasons.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
import xgboost as xgb
from rich.console import Console
from rich.table import Table

from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.feature_matrix import feature_matrix
from churn_platform.core.gradient_boosting import SCORING_THREADS
from churn_platform.orchestration.feature_tables import all_features
from churn_platform.orchestration.ladder import EXACT_REASONS, model_reasons
from churn_platform.orchestration.reason_catalogue import reason_catalogue
from churn_platform.orchestration.shop import Shop
from churn_platform.settings import REPOSITORY
from churn_platform.warehouse.connection import open_database
from churn_platform_tests.benchmarks.processes import peak_gib

Result = TypeVar("Result")

FOLDER = REPOSITORY / "build" / "bench-scoring"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=REPOSITORY / "data" / "demo", help="a home with a champion")
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--explained", type=int, default=EXACT_REASONS, help="of them with reasons")
    given = parser.parse_args()
    os.environ["CHURN_HOME"] = str(given.home)
    shop = Shop(home_folder=str(given.home))
    champion = shop.registry.champion()
    if champion is None:
        raise SystemExit(f"{given.home} has no champion to score with. Run make demo first, or name another --home.")
    found = compare(ChurnModel.load(shop.models.load(champion)), customers(shop, given.customers), given.explained)
    table = Table(title=f"{given.customers:,} scores and {given.explained:,} reasons, model {champion}")
    for heading in ("what", "platform", "bare XGBoost", "ratio", "users/s"):
        table.add_column(heading, justify="right")
    for what, one in found.items():
        own, bare = one["seconds"], one["bare_seconds"]
        table.add_row(what, f"{own:.1f} s", f"{bare:.1f} s", f"{own / bare:.2f}", f"{one['users'] / own:,.0f}")
    Console().print(table, f"Peak memory {peak_gib():.1f} GiB")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "bench-scoring.json").write_text(json.dumps(found | {"peak_gib": peak_gib()}, indent=1), encoding="utf-8")


def customers(shop: Shop, number: int) -> pl.DataFrame:
    """The eligible customers of the newest snapshot, drawn with replacement."""
    with open_database(shop.home.warehouse_file, read_only=True) as connection:
        eligible = connection.sql(
            f"SELECT * FROM {all_features()} WHERE snapshot_date = $newest AND is_eligible ORDER BY user_id",
            params={"newest": shop.plan.newest},
        ).pl()
    return eligible.sample(number, with_replacement=True, seed=0)


def compare(model: ChurnModel, users: pl.DataFrame, explained: int) -> dict[str, dict[str, Any]]:
    """Seconds of both sides for the scores of all, and for the reasons of those at the highest risk."""
    boosters, names = model.boosted.boosters, list(model.boosted.features)

    def matrix(of: pl.DataFrame) -> xgb.DMatrix:
        return xgb.DMatrix(feature_matrix(of, names), feature_names=names, nthread=SCORING_THREADS)

    whole = matrix(users)
    bare, _ = timed(lambda: [booster.predict(whole, output_margin=True) for booster in boosters])
    own, risk = timed(lambda: model.predict(users))
    highest = np.argsort(-risk, kind="stable")[:explained]
    riskiest = users[highest]
    part = matrix(riskiest)
    bare_reasons, _ = timed(lambda: [booster.predict(part, pred_contribs=True) for booster in boosters])
    catalogue = reason_catalogue("en")
    own_reasons, _ = timed(lambda: model_reasons(model, riskiest, risk[highest], catalogue))
    return {
        "scores": {"users": users.height, "seconds": own, "bare_seconds": bare},
        "reasons": {"users": explained, "seconds": own_reasons, "bare_seconds": bare_reasons},
    }


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """The seconds that it takes, and what it gives."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


if __name__ == "__main__":
    main()
