"""Segments of a home: found once and kept for a while, given to every buyer at each snapshot; and their report."""

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg
import duckdb
import polars as pl

from churn_platform.core.segments import TRAITS, assign_segments, fit_segments
from churn_platform.lake.mapping import read_mapping
from churn_platform.orchestration.feature_tables import all_features
from churn_platform.orchestration.shop import Shop
from churn_platform.reports.segments import SegmentReport, write_report
from churn_platform.warehouse.connection import table_exists
from churn_platform.warehouse.frames import read_frame

KEPT_DAYS = 90


def find_segments(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The published segments while they are at most KEPT_DAYS old, so that names stay; else a new fit from there."""
    published = connection.table("segment_traits").pl() if table_exists(connection, "segment_traits") else None
    usable = published is not None and not published.is_empty() and set(published["trait"]) <= TRAITS.keys()
    previous = published if usable else None
    newest = shop.plan.newest
    if previous is not None and abs(newest - previous["fitted_on"][0]) <= timedelta(days=KEPT_DAYS):
        return previous
    return fit_segments(_buyers(shop, connection), previous).with_columns(fitted_on=pl.lit(newest))


def give_segments(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The segment of every buyer at the newest snapshot."""
    buyers, segments = _buyers(shop, connection), connection.table("segment_traits").pl()
    if segments.is_empty():
        buyers = buyers.clear()
        given = pl.Series("segment", [], dtype=pl.String)
    else:
        given = assign_segments(buyers, segments)
    return buyers.select("snapshot_date", "user_id").with_columns(given)


def report_on_segments(shop: Shop, connection: duckdb.DuckDBPyConnection) -> Mapping[str, dg.MetadataValue]:
    """Write the report on the published segments and movements into reports/."""
    sizes = read_frame(
        connection,
        "SELECT segment, description, count(*) AS customers FROM customer_segments"
        " JOIN (SELECT DISTINCT segment, description FROM segment_traits) USING (segment)"
        " WHERE snapshot_date = $newest GROUP BY ALL ORDER BY customers DESC, segment",
        {"newest": shop.plan.newest},
    )
    moves = connection.sql("FROM segment_moves ORDER BY customers DESC, from_segment, to_segment").pl()
    page = write_report(
        SegmentReport(
            source=read_mapping(shop.home.mapping_file).source.name,
            snapshot=shop.plan.newest,
            sizes=sizes,
            traits=connection.table("segment_traits").pl(),
            moves=moves,
            made_at=shop.now(),
        ),
        shop.home.reports,
    )
    return {"report": dg.MetadataValue.path(page)}


def _buyers(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    return read_frame(
        connection,
        f"SELECT snapshot_date, user_id, {', '.join(TRAITS)} FROM {all_features()}"
        " WHERE snapshot_date = $newest AND orders_total > 0 ORDER BY user_id",
        {"newest": shop.plan.newest},
    )
