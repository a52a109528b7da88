"""Profiles and the daily churn scores."""

import dagster as dg
import duckdb
import polars as pl

from churn_platform.core import scoring
from churn_platform.core.scoring import Stamp, score
from churn_platform.errors import NotEnoughData
from churn_platform.orchestration import ladder
from churn_platform.orchestration.feature_tables import all_features, feature_tables
from churn_platform.orchestration.gated_assets import frame_asset, sql_asset
from churn_platform.orchestration.ladder import choose_scorer
from churn_platform.orchestration.shop import Shop

GROUP = "5_scores"


@dg.definitions
def defs() -> dg.Definitions:
    scores = frame_asset(
        "churn_scores",
        group=GROUP,
        deps=[*feature_tables(), "churn_labels", "user_profiles", "champion_model"],
        kinds={"xgboost", "polars"},
        compute=_score,
        code=[scoring, ladder],
    )
    return dg.Definitions(
        assets=[sql_asset("user_profiles", group=GROUP), scores, sql_asset("churn_scores_latest", group=GROUP)]
    )


def _score(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    definition, newest = shop.definition, shop.plan.newest
    users = connection.sql(
        f"SELECT features.*, expected_spend AS expected_value FROM (FROM {all_features()}) AS features"
        " JOIN user_profiles USING (snapshot_date, user_id)"
        " WHERE snapshot_date = $newest AND features.is_eligible ORDER BY user_id",
        params={"newest": newest},
    ).pl()
    if users.is_empty():
        raise NotEnoughData(
            f"No customer had an activity ({', '.join(definition.churn.activity)}) in the "
            f"{definition.churn.lookback_days} days before {newest}, so there is nobody to score. "
            "Load newer events, or lengthen lookback_days in churn.toml."
        )
    scorer = choose_scorer(shop, connection)
    stamp = Stamp(
        snapshot=newest,
        scored_by=scorer.rung,
        model_version=scorer.version,
        definition_version=definition.version,
        horizon_days=definition.churn.horizon_days,
        valid_days=definition.scores.valid_days,
    )
    return score(users, scorer.predict(users), scorer.explain(users), shop.bands, stamp)
