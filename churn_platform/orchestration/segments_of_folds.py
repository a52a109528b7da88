"""The newest candidate by lifecycle stage: how many customers of each it was tested on, and how well it did."""

from pathlib import Path

import duckdb
import polars as pl

from churn_platform.core.segment_evaluation import evaluate_segments
from churn_platform.errors import NotEnoughData
from churn_platform.orchestration.model_reports import read_predictions
from churn_platform.orchestration.shop import Shop
from churn_platform.sql.library import default_library
from churn_platform.warehouse.connection import table_exists
from churn_platform.warehouse.frames import read_frame

TABLE = "model_evaluation_by_segment"
STAGES = Path(__file__).parent / "sql" / "lifecycle_stages.sql"


def evaluations_by_segment(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The rows of all candidates so far, those of the newest one anew.

    Raises:
        NotEnoughData: there is no candidate.
    """
    name = shop.registry.candidate()
    if name is None:
        raise NotEnoughData("There is no candidate yet. Materialise churn_model first.")
    predictions = read_predictions(shop, name)
    stages = read_frame(
        connection, STAGES.read_text(encoding="utf-8"), {"folds": predictions["fold"].unique().to_list()}
    )
    found = evaluate_segments(predictions.join(stages, on=["fold", "user_id"], how="left"))
    new = found.select(pl.lit(name).alias("model_version"), pl.all())
    if not table_exists(connection, TABLE):
        return new
    columns = default_library().contract(TABLE).column_names
    known = connection.table(TABLE).pl().select(columns)
    return pl.concat([known.filter(pl.col("model_version") != name), new.select(columns)])
