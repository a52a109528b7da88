"""The platform's side of `make bench-scoring`: the asset churn_scores, from the tables of features to its rows.

`python -m … scoring_side HOME FILE` scores the customers of the database FILE by the champion of a home, and tells the
seconds.
"""

import sys
import time

from churn_platform.orchestration.shop import Shop
from churn_platform.orchestration.snapshot_scores import score_snapshot
from churn_platform.warehouse.connection import open_database
from churn_platform_tests.benchmarks.processes import tell


def main() -> None:
    shop = Shop(home_folder=sys.argv[1])
    with open_database(sys.argv[2], read_only=True) as connection:
        began = time.perf_counter()
        scores = score_snapshot(shop, connection)
        seconds = time.perf_counter() - began
    exact = int(scores["reasons_exact"].sum())
    tell({"seconds": seconds, "customers": scores.height, "exact": exact, "scored_by": scores["scored_by"][0]})


if __name__ == "__main__":
    main()
