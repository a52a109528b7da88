"""The survival view of a home: who stays active until when, how that did out of time, and its report."""

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg
import duckdb
import polars as pl

from churn_platform.core.evaluation import plain_features
from churn_platform.core.survival import fit_hazards, survival_forecast
from churn_platform.core.survival_evaluation import ROW_SCHEMA, evaluate_survival
from churn_platform.lake.mapping import read_mapping
from churn_platform.orchestration.feature_tables import all_features
from churn_platform.orchestration.model_reports import read_predictions, report_folder
from churn_platform.orchestration.shop import Shop
from churn_platform.reports.survival import SurvivalReport, write_report
from churn_platform.reports.words import words
from churn_platform.warehouse.connection import table_exists
from churn_platform.warehouse.frames import read_frame
from churn_platform.whole_file import written_whole

PREDICTIONS = "survival_folds.parquet"


def hazard_features(shop: Shop) -> list[str]:
    """What the hazards are told by: recency, orders and spend.

    Few customers churn within an interval, and its snapshots overlap. On the snapshots of Online Retail II whose
    outcomes had closed before its first fold, these few lost .001 and .008 nats less than all features, and both far
    less than the share of all.
    """
    return plain_features(shop.features)


def evaluate_forecasts(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The rows of survival_evaluation; the predictions that they are of are kept beside the model's reports."""
    name = str(shop.registry.candidate())
    folder, plan = report_folder(shop, name), shop.plan
    found = evaluate_survival(
        _labelled(shop, connection),
        read_predictions(shop, name),
        hazard_features(shop),
        folds=plan.folds,
        labelled=plan.labelled,
        window_days=shop.windows.lead + shop.windows.horizon,
    )
    with written_whole(folder / PREDICTIONS) as draft:
        found.predictions.write_parquet(draft)
    return found.rows.select(pl.lit(name).alias("model_version"), *ROW_SCHEMA)


def forecast_survival(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The rows of survival_forecast, each from the customer's churn probability of the newest snapshot."""
    learnt_from = _labelled(shop, connection).filter(pl.col("snapshot_date").is_in(shop.plan.labelled))
    users = read_frame(
        connection,
        f"SELECT snapshot_date, user_id, {', '.join(hazard_features(shop))}, churn_probability"
        f" FROM churn_scores JOIN (FROM {all_features()}) AS features"
        " USING (snapshot_date, user_id) WHERE snapshot_date = $newest ORDER BY user_id",
        {"newest": shop.plan.newest},
    )
    return survival_forecast(
        users,
        users["churn_probability"].to_numpy(),
        fit_hazards(learnt_from, hazard_features(shop)),
        starts_on=shop.plan.newest + timedelta(days=shop.windows.lead),
        words=words(shop.definition.reports.language),
    )


def report_on_survival(shop: Shop, connection: duckdb.DuckDBPyConnection) -> Mapping[str, dg.MetadataValue]:
    """Write the report on the published forecast and the evaluation into reports/."""
    forecast = connection.sql(
        "SELECT forecast.*, risk_band FROM survival_forecast AS forecast"
        " JOIN churn_scores USING (snapshot_date, user_id) ORDER BY user_id"
    ).pl()
    evaluation, predictions = None, None
    if table_exists(connection, "survival_evaluation"):
        evaluation = connection.table("survival_evaluation").pl()
        names = evaluation["model_version"].unique().to_list()
        predictions = pl.read_parquet(report_folder(shop, names[0]) / PREDICTIONS) if names else None
    page = write_report(
        SurvivalReport(
            source=read_mapping(shop.home.mapping_file).source.name,
            snapshot=shop.plan.newest,
            forecast=forecast,
            evaluation=evaluation,
            predictions=predictions,
            made_at=shop.now(),
        ),
        shop.home.reports,
        shop.definition.reports.language,
    )
    return {"report": dg.MetadataValue.path(page)}


def _labelled(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The customers of churn_dates with what the hazards learn from; days are counted from the label window's first."""
    features = ", ".join(hazard_features(shop))
    return connection.sql(
        f"SELECT snapshot_date, user_id, {features},"
        " date_diff('day', observed_from, churned_on) AS days_to_churn,"
        " date_diff('day', observed_from, observed_until) AS observed_days"
        f" FROM churn_dates JOIN (FROM {all_features()}) AS features USING (snapshot_date, user_id)"
        " WHERE is_eligible ORDER BY snapshot_date, user_id"
    ).pl()
