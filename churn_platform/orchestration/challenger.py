"""The challenger of a home: who it is, what it says of today's customers, and how it compares with what scores.

The challenger is the newest candidate as long as it is not the champion: it waits for a signature, misses a target, or
was rolled back. The champion before is none: it scores again at once after a rollback.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
import duckdb
import polars as pl

from churn_platform.core.challenger import OUTCOME_COLUMNS, agreement, outcomes
from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.scoring import band_of
from churn_platform.core.snapshots import label_closed
from churn_platform.errors import InputError, UsageError
from churn_platform.lake.mapping import read_mapping
from churn_platform.orchestration.feature_tables import all_features
from churn_platform.orchestration.shop import Shop
from churn_platform.orchestration.snapshot_scores import CUSTOMERS_AT_ONCE
from churn_platform.reports.challenger import ChallengerReport, write_report
from churn_platform.sql.library import default_library
from churn_platform.warehouse.connection import table_exists
from churn_platform.warehouse.frames import read_frame, read_parts

SHADOW_COLUMNS = {
    "snapshot_date": pl.Date,
    "user_id": pl.String,
    "champion_version": pl.String,
    "challenger_version": pl.String,
    "champion_probability": pl.Float64,
    "challenger_probability": pl.Float64,
    "champion_band": pl.String,
    "challenger_band": pl.String,
    "scored_by": pl.String,
    "expected_value": pl.Float64,
    "definition_version": pl.String,
}


@dataclass(frozen=True)
class Challenger:
    """`model` is None where the challenger cannot score, and `why` then says why and what to do; else it is empty."""

    version: str
    model: ChurnModel | None
    why: str = ""


def find_challenger(shop: Shop) -> Challenger | None:
    """The newest candidate where it is not the champion. Nothing that is wrong with it raises."""
    version = shop.registry.candidate()
    if version is None or version == shop.registry.champion():
        return None
    try:
        learnt = shop.models.manifest(version)["definition_version"]
        if learnt != shop.definition.version:
            why = (
                f"it was trained for the product definition {learnt}, not {shop.definition.version}. "
                "Train a new one: run full_refresh, or churn run."
            )
            return Challenger(version, None, why)
        model = ChurnModel.load(shop.models.load(version))
    except (InputError, UsageError) as error:
        return Challenger(version, None, str(error))
    missing = sorted(set(model.features) - set(shop.features))
    if missing:
        why = f"it needs features that are no more: {', '.join(missing)}. Train a new one: run full_refresh."
        return Challenger(version, None, why)
    return Challenger(version, model)


def shadow_scores(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """What the challenger says of the customers that were scored today, beside what scored them.

    Grain user_id of the newest snapshot; no rows without a challenger, or where it cannot score.
    """
    found = find_challenger(shop)
    if found is None or found.model is None:
        return pl.DataFrame(schema=SHADOW_COLUMNS)
    query = (
        "SELECT features.*, scores.churn_probability AS champion_probability, scores.risk_band AS champion_band,"
        " scores.model_version AS champion_version, scores.scored_by, scores.expected_value,"
        " scores.definition_version"
        f" FROM churn_scores AS scores JOIN (FROM {all_features()}) AS features USING (snapshot_date, user_id)"
        " WHERE snapshot_date = $newest AND user_id BETWEEN $first AND $last ORDER BY user_id"
    )
    newest = {"newest": shop.plan.newest}
    scored = read_frame(
        connection, "SELECT user_id FROM churn_scores WHERE snapshot_date = $newest ORDER BY user_id", newest
    )
    said = pl.col("challenger_probability")
    shadows = [
        users.with_columns(
            challenger_version=pl.lit(found.version),
            challenger_probability=pl.Series(found.model.predict(users), dtype=pl.Float64),
        )
        .with_columns(challenger_band=band_of(said, shop.bands))
        .select(*SHADOW_COLUMNS)
        for users in read_parts(connection, query, newest, keys=scored["user_id"], rows=CUSTOMERS_AT_ONCE)
    ]
    return pl.concat([pl.DataFrame(schema=SHADOW_COLUMNS), *shadows])


def compare_challengers(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Every row of challenger_comparison, grain (snapshot_date, challenger_version).

    What is known of an earlier snapshot stays, until its label closes, or the files behind that label are restated.
    """
    columns = default_library().contract("challenger_comparison").column_names
    known: dict[tuple[date, str], dict[str, Any]] = {}
    if table_exists(connection, "challenger_comparison"):
        rows = connection.table("challenger_comparison").pl()
        known = {(row["snapshot_date"], row["challenger_version"]): row for row in rows.iter_rows(named=True)}
    compared: list[dict[str, Any]] = []
    for one in _shadows(connection):
        snapshot, before = one["snapshot_date"], known.get((one["snapshot_date"], one["challenger_version"]))
        label = _label_version(shop, snapshot) if one["definition_version"] == shop.definition.version else None
        settled = snapshot != shop.plan.newest and (label is None or (before or {}).get("label_version") == label)
        compared.append(before if before and settled else {**one, **_compare(shop, connection, snapshot, label)})
    empty = connection.sql(f"SELECT {', '.join(columns)} FROM ({_empty_comparison()})").pl()
    return pl.DataFrame(compared, schema=empty.schema) if compared else empty


def report_on_challenger(shop: Shop, connection: duckdb.DuckDBPyConnection) -> Mapping[str, dg.MetadataValue]:
    """Write reports/challenger.html."""
    found, newest = find_challenger(shop), shop.plan.newest
    moves = read_frame(
        connection,
        "SELECT champion_band, challenger_band, count(*) AS customers FROM shadow_scores"
        " WHERE snapshot_date = $newest GROUP BY ALL",
        {"newest": newest},
    )
    page = write_report(
        ChallengerReport(
            source=read_mapping(shop.home.mapping_file).source.name,
            snapshot=newest,
            challenger=found.version if found else None,
            why=found.why if found else "",
            comparison=connection.sql("FROM challenger_comparison ORDER BY snapshot_date DESC").pl(),
            moves=moves,
            capacity=shop.capacity,
            made_at=shop.now(),
        ),
        shop.home.reports,
        shop.definition.reports.language,
    )
    return {
        "challenger": dg.MetadataValue.text(found.version if found else "none"),
        "report": dg.MetadataValue.path(page),
    }


def _shadows(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """One row per snapshot and challenger: who was compared with whom."""
    return list(
        connection.sql(
            "SELECT DISTINCT snapshot_date, challenger_version, champion_version, scored_by, definition_version"
            " FROM shadow_scores ORDER BY snapshot_date, challenger_version"
        )
        .pl()
        .iter_rows(named=True)
    )


def _compare(shop: Shop, connection: duckdb.DuckDBPyConnection, snapshot: date, label: str | None) -> dict[str, Any]:
    scores = read_frame(
        connection, "FROM shadow_scores WHERE snapshot_date = $snapshot ORDER BY user_id", {"snapshot": snapshot}
    )
    figures: dict[str, Any] = {**agreement(scores, shop.capacity), "label_version": label, "matured": bool(label)}
    if label is None:
        return {**figures, **dict.fromkeys(OUTCOME_COLUMNS)}
    known = scores.join(_labels(shop, connection, snapshot), on="user_id", maintain_order="left")
    churned, *probabilities = (known[name] for name in ("churned", "champion_probability", "challenger_probability"))
    return {**figures, **outcomes(churned.cast(pl.Float64), *probabilities)}


def _label_version(shop: Shop, snapshot: date) -> str | None:
    """Hash of all that decides the labels of a snapshot; None while they are open."""
    windows, history = shop.windows, shop.history
    if not label_closed(snapshot, history, windows):
        return None
    end = windows.label_end(snapshot)
    code = default_library().code_versions["churn_labels"]
    return shop.snapshot_version(code, end + history.grace_period(end, windows))


def _labels(shop: Shop, connection: duckdb.DuckDBPyConnection, snapshot: date) -> pl.DataFrame:
    """user_id, churned: by the query of churn_labels, which itself keeps only the snapshots of the training grid."""
    values = shop.values() | shop.snapshot_values(snapshot)
    return default_library().rows(connection, "churn_labels", values).select("user_id", "churned")


def _empty_comparison() -> str:
    """SQL of no row with the columns and types of the contract."""
    types = default_library().contract("challenger_comparison").types
    return "SELECT " + ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in types.items()) + " LIMIT 0"
