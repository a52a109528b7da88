"""Features and labels as of each snapshot, and the examples that a model may learn from."""

import dagster as dg

from churn_platform.orchestration.gated_assets import sql_asset

TABLES = ("user_features", "churn_labels", "training_set")


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(assets=[sql_asset(table, group="3_features") for table in TABLES])
