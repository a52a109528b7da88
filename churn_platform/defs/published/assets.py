"""The records beside the results, and the file that analysts read."""

import dagster as dg
import duckdb
import polars as pl

from churn_platform.contracts import dictionary
from churn_platform.contracts.dictionary import dictionary_rows
from churn_platform.contracts.quoting import quoted
from churn_platform.orchestration.feature_tables import feature_tables
from churn_platform.orchestration.gated_assets import frame_asset
from churn_platform.orchestration.partitions import LAKE_STATE
from churn_platform.orchestration.shop import Shop
from churn_platform.registry import registry
from churn_platform.sql.library import default_library
from churn_platform.sql.lineage import column_lineage
from churn_platform.warehouse.connection import table_exists
from churn_platform.warehouse.published import PUBLISHED_TABLES, publish

GROUP = "7_published"
# Tables that other assets build; the dictionary measures how full their columns are.
RESULTS = (
    "churn_scores",
    "churn_scores_latest",
    "user_profiles",
    "survival_forecast",
    "retention_campaign",
    "model_evaluation",
    *feature_tables(),
)
# What the dictionary says of a feature beyond its contract.
MEASURES = ("auc", "information_value", "psi")


@dg.definitions
def defs() -> dg.Definitions:
    history = frame_asset(
        "model_registry", group=GROUP, deps=["champion_model"], kinds={"json"}, compute=_registry, code=[registry]
    )
    columns = frame_asset(
        "data_dictionary",
        group=GROUP,
        deps=[*RESULTS, "feature_quality"],
        kinds={"yaml"},
        compute=_dictionary,
        code=[dictionary],
    )
    return dg.Definitions(assets=[history, columns, _published])


def _registry(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    return shop.registry.events()


def _dictionary(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    library = default_library()
    told = _told_by_features(connection)
    rows = []
    for table, contract in library.contracts.items():
        lineage = column_lineage(library, table)
        coverage = _coverage(connection, table) if table in RESULTS and table_exists(connection, table) else {}
        for row in dictionary_rows(contract):
            sources = lineage.get(row["column_name"], ())
            rows.append(
                {
                    **row,
                    "source_columns": ", ".join(f"{source}.{column}" for source, column in sources),
                    "coverage": coverage.get(row["column_name"]),
                    **told.get((table, row["column_name"]), dict.fromkeys(MEASURES)),
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def _told_by_features(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], dict[str, float]]:
    """(table, column) → MEASURES of a feature; empty until feature_quality has been built."""
    if not table_exists(connection, "feature_quality"):
        return {}
    rows = connection.table("feature_quality").pl()
    return {
        (row["feature_table"], row["feature"]): {name: row[name] for name in MEASURES}
        for row in rows.iter_rows(named=True)
    }


def _coverage(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, float | None]:
    """Column → share of rows with a value; None for an empty table."""
    names = connection.table(table).columns
    shares = ", ".join(f"count({quoted(name)}) / nullif(count(*), 0)" for name in names)
    found = connection.execute(f"SELECT {shares} FROM {quoted(table)}").fetchall()
    return dict(zip(names, found[0], strict=True))


@dg.asset(
    name="published",
    group_name=GROUP,
    owners=["team:analytics"],
    kinds={"duckdb"},
    deps=[*(table for table in PUBLISHED_TABLES if table != "quality_results"), "campaign_list"],
)
def _published(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult[None]:
    """`published/churn.duckdb`, renamed into place: a reader sees the old file or the new one."""
    with shop.warehouse() as connection:
        rows = publish(connection, shop.home.published_file, snapshots=shop.definition.scores.published_snapshots)
    return dg.MaterializeResult(
        metadata={
            LAKE_STATE: shop.ledger.state(),
            "file": dg.MetadataValue.path(shop.home.published_file),
            "dagster/row_count": sum(rows.values()),
            **rows,
        }
    )
