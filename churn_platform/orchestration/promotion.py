"""A candidate against the targets of `churn.toml`."""

import polars as pl

from churn_platform.core.acceptance import Goals, Verdict, judge
from churn_platform.core.evaluation import CHAMPION
from churn_platform.errors import UsageError
from churn_platform.orchestration.shop import Shop
from churn_platform.warehouse.connection import table_exists


def judge_candidate(shop: Shop, version: str) -> list[Verdict]:
    """Hold the out-of-time evaluation of a model against the targets.

    Raises:
        UsageError: the model has not been evaluated.
    """
    with shop.warehouse() as connection:
        if table_exists(connection, "model_evaluation"):
            rows = connection.sql(
                "SELECT * FROM model_evaluation WHERE model_version = $version", params={"version": version}
            ).pl()
        else:
            rows = pl.DataFrame()
    if rows.is_empty():
        raise UsageError(
            f"Model '{version}' has not been evaluated. Materialise model_evaluation, or run 'churn run' again."
        )
    return judge(rows, candidate=CHAMPION, goals=Goals(**shop.definition.targets.model_dump()))
