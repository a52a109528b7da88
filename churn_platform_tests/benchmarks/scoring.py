"""`make bench-scoring`: scores and reasons beside XGBoost's own predictions on the same matrix, in the same run.

The champion of a home (`make demo` makes one) scores a million customers, copies of those of its newest snapshot. Bare
is a loop over the model's boosters with nothing around it; the platform's side also reads the frame, blends, and words
the reasons. The last line is all that the asset churn_scores does, in a process of its own: it reads the tables twice,
and has reasons for everybody, exact ones for those at the highest risk.

It ends with 1 where scores or reasons take more than 1.5 times as long as bare XGBoost.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
import xgboost as xgb
from rich.console import Console
from rich.table import Table

from churn_platform.contracts.quoting import literal
from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.feature_matrix import feature_matrix
from churn_platform.core.gradient_boosting import SCORING_THREADS
from churn_platform.core.reasons import top_reasons
from churn_platform.orchestration.feature_tables import feature_tables
from churn_platform.orchestration.reason_catalogue import reason_catalogue
from churn_platform.orchestration.shop import Shop
from churn_platform.orchestration.snapshot_scores import (
    CUSTOMERS_AT_ONCE,
    ELIGIBLE_USERS,
    EXACT_REASONS,
    customers_to_score,
)
from churn_platform.settings import REPOSITORY
from churn_platform.warehouse.connection import open_database
from churn_platform.warehouse.frames import read_frame, read_parts
from churn_platform_tests.benchmarks.processes import told_by

Result = TypeVar("Result")

FOLDER = REPOSITORY / "build" / "bench-scoring"
LIMIT = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=REPOSITORY / "data" / "demo", help="a home with a champion")
    parser.add_argument("--customers", type=int, default=1_000_000, help="at least so many")
    given = parser.parse_args()
    os.environ["CHURN_HOME"] = str(given.home)
    shop = Shop(home_folder=str(given.home))
    champion = shop.registry.champion()
    if champion is None:
        raise SystemExit(f"{given.home} has no champion to score with. Run make demo first, or name another --home.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    tables = FOLDER / "customers.duckdb"
    copy_customers(shop, tables, given.customers)
    asset = told_by("scoring_side", given.home, tables)
    with open_database(tables, read_only=True) as connection:
        newest = {"newest": shop.plan.newest}
        keys = read_frame(connection, ELIGIBLE_USERS, newest)["user_id"]
        users = pl.concat(read_parts(connection, customers_to_score(), newest, keys=keys, rows=CUSTOMERS_AT_ONCE))
    tables.unlink()
    found = compare(ChurnModel.load(shop.models.load(champion)), users)
    bare = sum(one["bare_seconds"] for one in found.values())
    found["churn_scores, both and more"] = {"users": users.height, "bare_seconds": bare, **asset}
    explained = found["reasons"]["users"]
    Console().print(told(found, f"{users.height:,} scores and {explained:,} exact reasons, model {champion}"))
    Console().print(f"Peak memory of churn_scores {asset['peak_gib']:.1f} GiB")
    (FOLDER / "bench-scoring.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    sys.exit(any(found[what]["seconds"] > LIMIT * found[what]["bare_seconds"] for what in ("scores", "reasons")))


def copy_customers(shop: Shop, target: Path, number: int) -> None:
    """The tables that churn_scores reads, with as many copies of the newest snapshot's eligible customers as needed."""
    newest = {"newest": shop.plan.newest}
    target.unlink(missing_ok=True)
    with open_database(target) as connection:
        connection.execute(f"ATTACH {literal(str(shop.home.warehouse_file))} AS home (READ_ONLY)")
        connection.execute(
            "CREATE TEMP TABLE eligible AS SELECT snapshot_date, user_id FROM home.user_features"
            " WHERE snapshot_date = $newest AND is_eligible",
            newest,
        )
        [(customers,)] = connection.execute("SELECT count(*) FROM eligible").fetchall()
        for table in (*feature_tables(), "purchase_forecast"):
            connection.execute(
                f"CREATE TABLE {table} AS SELECT own.* REPLACE (user_id || '-' || copy AS user_id)"
                f" FROM home.{table} AS own JOIN eligible USING (snapshot_date, user_id),"
                f" range({-(-number // customers)}) AS copies(copy) ORDER BY user_id"
            )


def compare(model: ChurnModel, users: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Seconds of both sides for the scores of all, and for the reasons of those at the highest risk."""
    boosters, names = model.boosted.boosters, list(model.boosted.features)

    def matrix(of: pl.DataFrame) -> xgb.DMatrix:
        return xgb.DMatrix(feature_matrix(of, names), feature_names=names, nthread=SCORING_THREADS)

    whole = matrix(users)
    bare, _ = timed(lambda: [booster.predict(whole, output_margin=True) for booster in boosters])
    own, risk = timed(lambda: model.predict(users))
    riskiest = users[np.argsort(-risk, kind="stable")[:EXACT_REASONS]]
    part, catalogue = matrix(riskiest), reason_catalogue("en")
    bare_reasons, _ = timed(lambda: [booster.predict(part, pred_contribs=True) for booster in boosters])
    own_reasons, _ = timed(
        lambda: [
            top_reasons(model.contributions(some), some, catalogue) for some in riskiest.iter_slices(CUSTOMERS_AT_ONCE)
        ]
    )
    return {
        "scores": {"users": users.height, "seconds": own, "bare_seconds": bare},
        "reasons": {"users": riskiest.height, "seconds": own_reasons, "bare_seconds": bare_reasons},
    }


def told(found: dict[str, dict[str, Any]], title: str) -> Table:
    """One line for each of what was timed."""
    table = Table(title=title)
    for heading in ("what", "platform", "bare XGBoost", "ratio", "users/s"):
        table.add_column(heading, justify="right")
    for what, one in found.items():
        own, bare = one["seconds"], one["bare_seconds"]
        table.add_row(what, f"{own:.1f} s", f"{bare:.1f} s", f"{own / bare:.2f}", f"{one['users'] / own:,.0f}")
    return table


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """The seconds that it takes, and what it gives."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


if __name__ == "__main__":
    main()
