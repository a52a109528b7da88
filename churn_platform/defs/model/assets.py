"""Candidate, evaluation, champion."""

from collections.abc import Iterator

import dagster as dg
import duckdb
import polars as pl

from churn_platform.contracts import targets
from churn_platform.core import acceptance, segment_evaluation, survival, survival_evaluation
from churn_platform.core.acceptance import TARGETS
from churn_platform.core.evaluation import CHAMPION
from churn_platform.core.snapshots import require_folds
from churn_platform.errors import ChurnError, InputError, NotEnoughData
from churn_platform.orchestration import segments_of_folds, survival_view, tuned
from churn_platform.orchestration.feature_tables import feature_tables
from churn_platform.orchestration.fold_customers import everyone_at_folds, labelled_customers
from churn_platform.orchestration.gated_assets import frame_asset, source_version
from churn_platform.orchestration.model_reports import (
    has_predictions,
    keep_predictions,
    write_model_reports,
)
from churn_platform.orchestration.promotion import judge_candidate, require_scorable
from churn_platform.orchestration.segments_of_folds import evaluations_by_segment
from churn_platform.orchestration.shop import Shop
from churn_platform.orchestration.survival_view import evaluate_forecasts
from churn_platform.orchestration.training_sample import training_sample
from churn_platform.orchestration.tuned import plan_training, protocol
from churn_platform.registry import candidate
from churn_platform.registry.candidate import evaluate_candidate, train_candidate
from churn_platform.sql.library import default_library
from churn_platform.warehouse.connection import table_exists

GROUP = "4_model"
PLATFORM = "platform"
SIGNED_OFF = "signed_off"


@dg.definitions
def defs() -> dg.Definitions:
    evaluation = frame_asset(
        "model_evaluation",
        group=GROUP,
        deps=["churn_model"],
        kinds={"xgboost", "scikitlearn", "polars"},
        compute=_evaluations,
        code=[candidate, tuned, *candidate.RECIPE],
    )
    survival_tests = frame_asset(
        "survival_evaluation",
        group=GROUP,
        deps=["model_evaluation", "churn_dates", *feature_tables()],
        kinds={"scikitlearn", "polars"},
        compute=evaluate_forecasts,
        code=[survival, survival_evaluation, survival_view],
    )
    by_segment = frame_asset(
        segments_of_folds.TABLE,
        group=GROUP,
        deps=["model_evaluation", "user_features"],
        kinds={"polars"},
        compute=evaluations_by_segment,
        code=[segment_evaluation, segments_of_folds],
    )
    return dg.Definitions(assets=[churn_model, evaluation, by_segment, survival_tests, champion_model])


@dg.asset(
    group_name=GROUP,
    owners=["team:data-science"],
    kinds={"xgboost", "python"},
    deps=["training_set", "feature_quality", *feature_tables()],
    code_version=source_version("", candidate, tuned, *candidate.RECIPE),
)
def churn_model(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult[None]:
    """The candidate: trained on every snapshot whose label is closed; kept in models/<version>/."""
    try:
        require_folds(shop.plan, shop.history, shop.windows)
        with shop.warehouse() as connection:
            sample = training_sample(shop, connection)
            frame, everyone = shop.training_frame(connection), everyone_at_folds(shop, connection, sample)
        plan = shop.plan
        training_plan = plan_training(shop, frame, everyone)
        name = training_plan.name
        learnt = frame.filter(pl.col("snapshot_date").is_in(plan.labelled))
        if not shop.models.exists(name):
            train_candidate(
                learnt,
                shop.features,
                window_days=shop.windows.lead + shop.windows.horizon,
                name=name,
                definition_version=shop.definition.version,
                store=shop.models,
                tuning=training_plan.tuning,
                available_rows=sample.available,
            )
    except (InputError, NotEnoughData) as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    if shop.registry.candidate() != name:
        reason = f"trained on {learnt.height} rows of {learnt['snapshot_date'].n_unique()} snapshots"
        shop.registry.record(name, "candidate", actor=PLATFORM, at=shop.now(), reason=reason)
    training = shop.models.manifest(name)["training"]
    of_all = f" of {sample.available} (training.maximum_rows)" if sample.available > training["rows"] else ""
    context.log.info(
        f"Candidate {name}: {training['rows']}{of_all} rows of {training['snapshots']} snapshots; "
        f"parameters of the trees: {training_plan.told}."
    )
    if training["dropped_features"]:
        context.log.info(f"Not learnt from, for they never varied: {', '.join(training['dropped_features'])}.")
    told = {"model_version": name, "parameters": training_plan.told}
    return dg.MaterializeResult(metadata={**told, **{key: str(value) for key, value in training.items()}})


def _evaluations(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The evaluations of all candidates so far; the newest one's is made if it is not there for this capacity."""
    plan, sample = shop.plan, training_sample(shop, connection)
    frame, everyone = shop.training_frame(connection), everyone_at_folds(shop, connection, sample)
    training = plan_training(shop, frame, everyone)
    name = training.name
    columns = default_library().contract("model_evaluation").column_names
    others: list[pl.DataFrame] = []
    if table_exists(connection, "model_evaluation"):
        known = connection.table("model_evaluation").pl().select(columns)
        tested_for = known.filter(model_version=name, metric="capacity")["value"].unique().to_list()
        if tested_for == [float(shop.capacity)] and has_predictions(shop, name):
            return known
        others = [known.filter(pl.col("model_version") != name)]
    new, predictions = evaluate_candidate(
        frame,
        shop.features,
        plan,
        protocol=protocol(shop, training.tuning),
        name=name,
        labelled=labelled_customers(shop, connection, sample),
        everyone=everyone,
    )
    keep_predictions(shop, name, predictions)
    shop.models.keep_metrics(name, new.filter(model=CHAMPION).drop("model_version", "model").to_dicts())
    return pl.concat([*others, new.select(columns)])


@dg.asset(
    group_name=GROUP,
    owners=["team:product"],
    kinds={"python"},
    deps=["model_evaluation", "model_evaluation_by_segment"],
    check_specs=[
        *(dg.AssetCheckSpec(name, asset="champion_model", description=text) for name, text in TARGETS.items()),
        dg.AssetCheckSpec(SIGNED_OFF, asset="champion_model", description="The candidate was made champion."),
    ],
    code_version=source_version("", acceptance, targets),
)
def champion_model(
    context: dg.AssetExecutionContext, shop: Shop
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """The model that scores. A candidate that meets the targets becomes champion, at once or when signed off.

    A candidate that does not is refused: the check is red, the champion before it goes on scoring.
    """
    name = shop.registry.candidate()
    if name is None:
        raise dg.Failure(description="There is no candidate yet. Materialise churn_model first.", allow_retries=False)
    try:
        require_scorable(shop, name)
        verdicts = judge_candidate(shop, name, run_id=context.run.run_id)
    except ChurnError as error:
        for check in (*TARGETS, SIGNED_OFF):
            yield dg.AssetCheckResult(check_name=check, passed=False, description=str(error))
        raise dg.Failure(description=str(error), allow_retries=False) from error
    for verdict in verdicts:
        yield dg.AssetCheckResult(
            check_name=verdict.name,
            passed=verdict.met,
            metadata={"observed": verdict.observed, "required": verdict.required, "model_version": name},
        )
    met = all(verdict.met for verdict in verdicts)
    signed = name == shop.registry.champion() or shop.registry.decided(name)
    if met and shop.definition.auto_accept and not signed:
        shop.registry.promote(name, actor=PLATFORM, at=shop.now(), reason="meets every target; auto_accept = true")
        signed = True
    how = (
        ""
        if signed
        else f"Sign it off with: churn promote {name} --by NAME --note TEXT"
        if met
        else "It misses a target."
    )
    yield dg.AssetCheckResult(
        check_name=SIGNED_OFF, passed=signed, description=how or None, metadata={"model_version": name}
    )
    pages = write_model_reports(shop, name, verdicts)
    yield dg.MaterializeResult(
        metadata={
            "champion": shop.registry.champion() or "none",
            "candidate": name,
            **{page.stem: dg.MetadataValue.path(page) for page in pages.values()},
        }
    )
