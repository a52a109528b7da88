"""Staging and warehouse: typed events, dimensions, facts, and the daily aggregate."""

import dagster as dg

from churn_platform.orchestration.gated_assets import sql_asset

TABLES = ("stg_events", "dim_users", "dim_items", "fct_orders", "fct_sessions", "user_days")


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(assets=[sql_asset(table, group="2_warehouse") for table in TABLES])
