"""The one partitions definition: a partition is the shop-local day on which events arrived."""

from datetime import date

import dagster as dg

from churn_platform.lake.ledger import Ledger
from churn_platform.settings import Home, environment, shop_day

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
# On the materialisation of `published`: which files its content was made from.
LAKE_STATE = "churn/lake_state"


def arrival_days() -> dg.DailyPartitionsDefinition:
    """Every day from the first arrival of the home to today."""
    settings = environment()
    home = Home(settings.shop_home())
    timezone = home.definition().timezone
    start = Ledger(home).first_expected_day() or shop_day(settings.current_time(), timezone)
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone=timezone, end_offset=1)


def range_tags(first: date, last: date) -> dict[str, str]:
    """Tags of a run over the arrival days `first` to `last`, both included."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}


def range_of(context: dg.AssetExecutionContext) -> tuple[date, date]:
    """The arrival days that a run of a partitioned asset is asked to build, both included."""
    keys = context.partition_key_range
    return date.fromisoformat(keys.start), date.fromisoformat(keys.end)
