"""Which past scores would have differed, had the rows that came late been there in time, and by how much.

A row is late for a snapshot S if it happened before S and arrived after the day S. Past snapshots are final: this only
reads, from a warehouse attached read-only.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from churn_platform.contracts.quoting import literal, quoted
from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.scoring import band_of
from churn_platform.errors import OutdatedModel
from churn_platform.orchestration.feature_tables import absent_features, all_features, feature_tables
from churn_platform.orchestration.shop import Shop
from churn_platform.sql.library import default_library
from churn_platform.warehouse.connection import open_database
from churn_platform.warehouse.frames import read_frame
from churn_platform.warehouse.gate import create_table

SQL = Path(__file__).parent / "sql"
# What the features are made of: table → the day on which its rows happened.
SOURCES = {
    "user_days": "event_date",
    "user_items": "event_date",
    "user_categories": "event_date",
    "fct_orders": "order_date",
    "fct_sessions": "session_date",
}
# Two computations of one probability on the same machine agree to far more digits.
SAME = 1e-9

EFFECTS = pl.Schema(
    {
        "snapshot_date": pl.Date(),
        "user_id": pl.String(),
        "late_rows": pl.Int64(),
        "published_probability": pl.Float64(),
        "probability_as_known": pl.Float64(),
        "probability_with_late_rows": pl.Float64(),
        "difference": pl.Float64(),
        "band_as_known": pl.String(),
        "band_with_late_rows": pl.String(),
        "model_version": pl.String(),
    }
)


@dataclass(frozen=True)
class SnapshotEffect:
    """What late rows would have done to the scores of one snapshot.

    Attributes:
        late_rows: that happened before the snapshot and arrived after it.
        customers: with a late row, and eligible with or without it.
        moved: of them, those whose probability would have been another one.
        other_band: of them, those who would have stood in another risk band.
        not_scored: of them, those whom only the late rows make eligible; they have no published score.
        mean_difference, largest_difference: absolute, over the customers scored both ways; 0 where there is none.
        not_reproduced: scores that today's rows and code do not give again even without the late rows, because a file
            was restated or the features have changed since.
        not_compared: why nothing could be recomputed; empty where it was.
    """

    snapshot: date
    late_rows: int
    customers: int = 0
    moved: int = 0
    other_band: int = 0
    not_scored: int = 0
    mean_difference: float = 0.0
    largest_difference: float = 0.0
    not_reproduced: int = 0
    not_compared: str = ""


def late_effects(shop: Shop) -> tuple[pl.DataFrame, list[SnapshotEffect]]:
    """Recompute the past scores of the customers with late rows; needs the home's writer lock.

    Covers the snapshots that the published file keeps.

    Returns:
        The effects, one row per snapshot and customer with the columns of EFFECTS; and a summary by snapshot, newest
        first, of those with late rows.

    Raises:
        InputError: the files of a model that scored are damaged.
    """
    frames: list[pl.DataFrame] = []
    summary: list[SnapshotEffect] = []
    with open_database(":memory:") as connection:
        connection.execute(f"ATTACH {literal(str(shop.home.warehouse_file))} AS past (READ_ONLY)")
        kept = {"snapshots": shop.definition.scores.published_snapshots}
        for snapshot, rung, model, definition in connection.execute(_sql("scored_snapshots"), kept).fetchall():
            late_rows = _find_late_users(connection, snapshot)
            if not late_rows:
                continue
            obstacle = _obstacle(connection, shop, rung, model, definition)
            if obstacle:
                summary.append(SnapshotEffect(snapshot, late_rows, not_compared=obstacle))
                continue
            effects = _effects(connection, shop, snapshot, model)
            frames.append(effects)
            summary.append(_summary(snapshot, late_rows, effects))
    return pl.concat([EFFECTS.to_frame(), *frames]), summary


def _find_late_users(connection: duckdb.DuckDBPyConnection, snapshot: date) -> int:
    connection.execute(f"CREATE OR REPLACE TABLE late_users AS {_sql('late_users')}", {"snapshot_date": snapshot})
    return int(connection.execute("SELECT coalesce(sum(late_rows), 0) FROM late_users").fetchall()[0][0])


def _obstacle(connection: duckdb.DuckDBPyConnection, shop: Shop, rung: str, model: str, definition: str) -> str:
    if rung != "model":
        return f"scored by the {rung}, whose fit of that day is not kept"
    if definition != shop.definition.version:
        return f"scored under the product definition {definition}, not {shop.definition.version}"
    if not shop.models.exists(model):
        return f"its model {model} is not in {shop.models.folder}"
    try:
        ChurnModel.load(shop.models.load(model))
    except OutdatedModel as error:
        return f"its model {model} is of an earlier version: {error}"
    for table in SOURCES:
        found = connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE database_name = 'past' AND table_name = ?", [table]
        ).fetchall()
        if not set(default_library().contract(table).column_names) <= {name for (name,) in found}:
            return f"{table} is of an earlier version of the platform; run a refresh first"
    return ""


def _effects(connection: duckdb.DuckDBPyConnection, shop: Shop, snapshot: date, model: str) -> pl.DataFrame:
    scorer, bands = ChurnModel.load(shop.models.load(model)), shop.bands

    def scored(name: str, *, late: bool) -> pl.DataFrame:
        users = _features(connection, shop, snapshot, late=late)
        return users.select("user_id").with_columns(pl.Series(name, scorer.predict(users), dtype=pl.Float64))

    late_users = connection.sql("FROM late_users").pl()
    published = read_frame(
        connection,
        "SELECT user_id, churn_probability AS published_probability FROM past.churn_scores"
        " WHERE snapshot_date = $snapshot",
        {"snapshot": snapshot},
    )
    as_known, with_late = scored("probability_as_known", late=False), scored("probability_with_late_rows", late=True)
    return (
        late_users.join(as_known.join(with_late, on="user_id", how="full", coalesce=True), on="user_id")
        .join(published, on="user_id", how="left")
        .with_columns(
            snapshot_date=pl.lit(snapshot),
            model_version=pl.lit(model),
            difference=pl.col("probability_with_late_rows") - pl.col("probability_as_known"),
            band_as_known=band_of(pl.col("probability_as_known"), bands),
            band_with_late_rows=band_of(pl.col("probability_with_late_rows"), bands),
        )
        .select(pl.col(name).cast(kind) for name, kind in EFFECTS.items())
        .sort("user_id")
    )


def _features(connection: duckdb.DuckDBPyConnection, shop: Shop, snapshot: date, *, late: bool) -> pl.DataFrame:
    """The features of the eligible customers with late rows: the model's own query over what it is given to know."""
    library = default_library()
    for table, day in SOURCES.items():
        _as_known(connection, table, day, snapshot, late=late)
    absent = absent_features(connection, feature_tables(), snapshot, days="past.user_days")
    for table in feature_tables():
        connection.execute(f"DROP TABLE IF EXISTS {table}")
        contract = library.contract(table)
        create_table(connection, contract, table)
        values = shop.values() | {"snapshot_date": snapshot}
        library.append(connection, table, table, values, absent=absent & set(contract.column_names))
    return connection.sql(f"FROM {all_features()} WHERE is_eligible ORDER BY user_id").pl()


def _as_known(connection: duckdb.DuckDBPyConnection, table: str, day: str, snapshot: date, *, late: bool) -> None:
    """A table of the customers with late rows, as it was known, or (`late`) as if those had been there in time."""
    connection.execute(
        f"CREATE OR REPLACE TABLE {quoted(table)} AS"
        " SELECT kept.* REPLACE (if($late, least(known_date, $snapshot), known_date) AS known_date)"
        f" FROM past.{quoted(table)} AS kept SEMI JOIN late_users USING (user_id) WHERE {quoted(day)} < $snapshot",
        {"snapshot": snapshot, "late": late},
    )


def _summary(snapshot: date, late_rows: int, effects: pl.DataFrame) -> SnapshotEffect:
    both = effects.drop_nulls("difference")
    size = both["difference"].abs()
    published = effects.drop_nulls(["published_probability", "probability_as_known"])
    gap = (published["published_probability"] - published["probability_as_known"]).abs()
    return SnapshotEffect(
        snapshot=snapshot,
        late_rows=late_rows,
        customers=effects.height,
        moved=int((size > SAME).sum()),
        other_band=both.filter(pl.col("band_as_known") != pl.col("band_with_late_rows")).height,
        not_scored=effects["probability_as_known"].null_count(),
        mean_difference=float(size.to_numpy().mean()) if both.height else 0.0,
        largest_difference=float(size.to_numpy().max()) if both.height else 0.0,
        not_reproduced=int((gap > SAME).sum()),
    )


def _sql(name: str) -> str:
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")
