"""All customers of the out-of-time folds, also those outside the lookback, with their features and outcomes."""

from datetime import date

import duckdb
import polars as pl

from churn_platform.core.evaluation import ALL, ELIGIBLE
from churn_platform.orchestration.feature_tables import all_features
from churn_platform.orchestration.shop import Shop
from churn_platform.orchestration.training_sample import TrainingSample
from churn_platform.sql.library import default_library
from churn_platform.warehouse.frames import read_frame

# A lookback that reaches before every event: whoever has ever been active counts.
EVER_DAYS = 36_500


def everyone_at_folds(shop: Shop, connection: duckdb.DuckDBPyConnection, sample: TrainingSample) -> pl.DataFrame:
    """Grain (snapshot_date, user_id), ordered: every customer with an activity before a fold that was known by then.

    Only those who take part in the sample. The columns are those of
    `Shop.training_frame`. `churned` is what the model of churn_labels says without a limit to the lookback: no activity
    in the fold's label window, by what had arrived when the window and its grace closed.
    """
    features = read_frame(
        connection,
        f"FROM {all_features()} WHERE list_contains($folds, snapshot_date) AND {sample.condition}",
        {"folds": list(shop.plan.folds)},
    )
    labels = outcomes_of_everyone(shop, connection).select("snapshot_date", "user_id", "churned")
    return features.join(labels, on=["snapshot_date", "user_id"]).sort("snapshot_date", "user_id")


def outcomes_of_everyone(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The rows of churn_labels at every fold, as if the lookback had no end."""
    values = shop.values() | {"lookback_days": EVER_DAYS}
    return pl.concat(
        default_library().rows(connection, "churn_labels", values | shop.snapshot_values(fold))
        for fold in shop.plan.folds
    )


def labelled_customers(
    shop: Shop, connection: duckdb.DuckDBPyConnection, sample: TrainingSample
) -> dict[tuple[str, date], int]:
    """(population, fold) → customers with a label, of those who take part in the sample."""
    per_day = f"SELECT snapshot_date, count(*) FROM {{labels}} WHERE {sample.condition} GROUP BY snapshot_date"
    eligible = connection.execute(per_day.format(labels="churn_labels")).fetchall()
    connection.register("outcomes_frame", outcomes_of_everyone(shop, connection).to_arrow())
    everyone = connection.execute(per_day.format(labels="outcomes_frame")).fetchall()
    connection.unregister("outcomes_frame")
    return {(ELIGIBLE, day): users for day, users in eligible} | {(ALL, day): users for day, users in everyone}
