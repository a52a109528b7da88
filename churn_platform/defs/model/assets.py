"""Candidate, evaluation, champion."""

from collections.abc import Iterator

import dagster as dg
import duckdb
import polars as pl

from churn_platform.core import acceptance
from churn_platform.core.acceptance import TARGETS
from churn_platform.core.snapshots import require_folds
from churn_platform.errors import InputError, NotEnoughData
from churn_platform.orchestration import tuned
from churn_platform.orchestration.feature_tables import feature_tables
from churn_platform.orchestration.gated_assets import frame_asset, source_version
from churn_platform.orchestration.model_reports import (
    has_predictions,
    keep_predictions,
    write_model_reports,
)
from churn_platform.orchestration.promotion import judge_candidate
from churn_platform.orchestration.shop import Shop
from churn_platform.orchestration.tuned import plan_training, protocol
from churn_platform.registry import candidate
from churn_platform.registry.candidate import evaluate_candidate, train_candidate
from churn_platform.sql.library import default_library
from churn_platform.warehouse.connection import table_exists

GROUP = "4_model"
PLATFORM = "platform"


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
    return dg.Definitions(assets=[churn_model, evaluation, champion_model])


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
            frame = shop.training_frame(connection)
        plan = shop.plan
        training_plan = plan_training(shop, frame)
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
            )
    except (InputError, NotEnoughData) as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    if shop.registry.candidate() != name:
        reason = f"trained on {learnt.height} rows of {learnt['snapshot_date'].n_unique()} snapshots"
        shop.registry.record(name, "candidate", actor=PLATFORM, at=shop.now(), reason=reason)
    training = shop.models.manifest(name)["training"]
    context.log.info(
        f"Candidate {name}: {training['rows']} rows of {training['snapshots']} snapshots; "
        f"parameters of the trees: {training_plan.told}."
    )
    told = {"model_version": name, "parameters": training_plan.told}
    return dg.MaterializeResult(metadata={**told, **{key: str(value) for key, value in training.items()}})


def _evaluations(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The evaluations of all candidates so far; the newest one's is made if it is not there for this capacity."""
    frame, plan = shop.training_frame(connection), shop.plan
    training = plan_training(shop, frame)
    name = training.name
    columns = default_library().contract("model_evaluation").column_names
    others: list[pl.DataFrame] = []
    if table_exists(connection, "model_evaluation"):
        known = connection.table("model_evaluation").pl().select(columns)
        tested_for = known.filter(model_version=name, metric="capacity")["value"].unique().to_list()
        if tested_for == [float(shop.capacity)] and has_predictions(shop, name):
            return known
        others = [known.filter(pl.col("model_version") != name)]
    labelled = connection.execute("SELECT snapshot_date, count(*) FROM churn_labels GROUP BY snapshot_date").fetchall()
    new, predictions = evaluate_candidate(
        frame, shop.features, plan, protocol=protocol(shop, training.tuning), name=name, eligible=dict(labelled)
    )
    keep_predictions(shop, name, predictions)
    return pl.concat([*others, new.select(columns)])


@dg.asset(
    group_name=GROUP,
    owners=["team:product"],
    kinds={"python"},
    deps=["model_evaluation"],
    check_specs=[
        *(dg.AssetCheckSpec(name, asset="champion_model", description=text) for name, text in TARGETS.items()),
        dg.AssetCheckSpec("signed_off", asset="champion_model", description="The candidate was made champion."),
    ],
    code_version=source_version("", acceptance),
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
    verdicts = judge_candidate(shop, name)
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
        check_name="signed_off", passed=signed, description=how or None, metadata={"model_version": name}
    )
    pages = write_model_reports(shop, name, verdicts)
    yield dg.MaterializeResult(
        metadata={
            "champion": shop.registry.champion() or "none",
            "candidate": name,
            **{page.stem: dg.MetadataValue.path(page) for page in pages.values()},
        }
    )
