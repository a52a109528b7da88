"""Staging and warehouse: typed events, dimensions, facts, and the daily aggregate."""

import dagster as dg

from churn_platform.orchestration.gated_assets import sql_asset
from churn_platform.orchestration.partitions import arrival_days

GROUP = "2_warehouse"
# Each partition of a run costs some 7 ms of event log, so that the other tables by arrival day are one asset each.
PARTITIONED = ("stg_events", "user_days")
WHOLE = ("item_days", "dim_users", "dim_items", "fct_orders", "fct_sessions", "user_items", "user_categories")


@dg.definitions
def defs() -> dg.Definitions:
    days = arrival_days()
    by_day = [sql_asset(table, group=GROUP, partitions=days) for table in PARTITIONED]
    return dg.Definitions(assets=[*by_day, *(sql_asset(table, group=GROUP) for table in WHOLE)])
