"""The labels of a home by its own product definition and by another one, side by side."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from churn_platform.core.definition_comparison import (
    CHURNED,
    NOT_ELIGIBLE,
    STAYED,
    Comparison,
    comparable_snapshots,
    compare,
)
from churn_platform.errors import UsageError, suggest
from churn_platform.orchestration.shop import Shop
from churn_platform.settings import ChurnDefinition, ProductDefinition
from churn_platform.sql.library import default_library
from churn_platform.sql.parameters import Value
from churn_platform.warehouse.frames import read_frame

SQL = Path(__file__).parent / "sql"


def compare_definitions(
    shop: Shop, connection: duckdb.DuckDBPyConnection, other: ProductDefinition
) -> tuple[Comparison, pl.DataFrame]:
    """Compare the home's definition with another on every snapshot that both can judge, by all that is known today.

    Returns:
        The comparison; and the customers whom the two do not say the same of: grain (snapshot_date, user_id), with
        `current` and `other`, each churned, stayed or not eligible.

    Raises:
        UsageError: both are one definition, or the other has days of another time zone or an activity that the shop
            has no event of.
        NotEnoughData: no snapshot can be judged by both.
    """
    current = shop.definition
    if other.version == current.version:
        raise UsageError(
            f"This is the definition in force (version {current.version}), so there is nothing to compare. "
            "Change [churn] in the other file: activity, lookback_days, lead_days or horizon_days."
        )
    if other.timezone != current.timezone:
        raise UsageError(
            f"The other definition has the time zone {other.timezone}, the home {current.timezone}: their days differ. "
            "Compare definitions of one time zone."
        )
    _check_activities(connection, other.churn.activity)
    snapshots = comparable_snapshots(shop.plan, shop.history, current.churn.windows, other.churn.windows)
    counts, differing = count_labels(connection, current.churn, other.churn, snapshots, newest=shop.plan.newest)
    return compare(counts), differing


def count_labels(
    connection: duckdb.DuckDBPyConnection,
    current: ChurnDefinition,
    other: ChurnDefinition,
    snapshots: Sequence[date],
    *,
    newest: date,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The counts that `compare` takes, and the customers whom the definitions do not say the same of.

    Args:
        connection: with the table stg_events.
        newest: events from this day on are not known yet.
    """
    sides = {"current": current, "other": other}
    counts, differing = [], []
    with connection.cursor() as own:  # with temporary tables of its own, which hide none of the warehouse's from others
        for side, churn in sides.items():
            own.execute(
                f"CREATE TEMP TABLE {side}_days AS " + (SQL / "activity_days.sql").read_text(encoding="utf-8"),
                {"newest_snapshot": newest, "activity": churn.activity},
            )
        for snapshot in snapshots:
            judged = [_judged(own, side, churn, snapshot) for side, churn in sides.items()]
            users = _beside(*judged).select(pl.lit(snapshot).alias("snapshot_date"), pl.all())
            came_back = pl.col("current_came_back", "other_came_back").sum()
            by_status = users.group_by("snapshot_date", "current", "other", maintain_order=True)
            counts.append(by_status.agg(pl.len().alias("customers"), came_back))
            changed = users.filter(pl.col("current") != pl.col("other"))
            differing.append(changed.select("snapshot_date", "user_id", "current", "other"))
    return pl.concat(counts), pl.concat(differing)


def _judged(connection: duckdb.DuckDBPyConnection, side: str, churn: ChurnDefinition, snapshot: date) -> pl.DataFrame:
    """user_id of the eligible, status, and whether a churned one came back; the model of churn_labels itself judges."""
    connection.execute(f"CREATE OR REPLACE TEMP VIEW user_days AS FROM {side}_days")
    windows = churn.windows
    values: dict[str, Value] = {
        "snapshot_date": snapshot,
        "lookback_days": windows.lookback,
        "lead_days": windows.lead,
        "horizon_days": windows.horizon,
        "label_grace_days": 0,
        "definition_version": side,
    }
    labels = default_library().rows(connection, "churn_labels", values)
    later = read_frame(
        connection,
        "SELECT DISTINCT user_id FROM user_days WHERE event_date >= $end",
        {"end": windows.label_end(snapshot)},
    )
    return labels.select(
        "user_id",
        pl.when("churned").then(pl.lit(CHURNED)).otherwise(pl.lit(STAYED)).alias(side),
        (pl.col("churned") & pl.col("user_id").is_in(later["user_id"].implode())).alias(f"{side}_came_back"),
    )


def _beside(current: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Every customer whom at least one definition calls eligible, by user_id."""
    return (
        current.join(other, on="user_id", how="full", coalesce=True)
        .with_columns(
            pl.col("current", "other").fill_null(NOT_ELIGIBLE),
            pl.col("current_came_back", "other_came_back").fill_null(value=False),
        )
        .sort("user_id")
    )


def _check_activities(connection: duckdb.DuckDBPyConnection, activities: Sequence[str]) -> None:
    rows = connection.execute("SELECT DISTINCT event_type FROM stg_events ORDER BY event_type").fetchall()
    known = [str(row[0]) for row in rows]
    for activity in activities:
        if activity not in known:
            raise UsageError(f"The shop has no event of the type '{activity}'.{suggest(activity, known)}")
