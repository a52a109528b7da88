"""The campaign decision, and the list that is handed to people."""

import hashlib
import json
from dataclasses import asdict

import dagster as dg
import duckdb
import pandas as pd
import polars as pl

from churn_platform.core import campaign
from churn_platform.core.campaign import Economics, decide
from churn_platform.orchestration.campaign_files import CampaignList
from churn_platform.orchestration.gated_assets import frame_asset
from churn_platform.orchestration.shop import Shop

# In log-odds: what moves the odds of churn by less than a tenth is not worth a word to the customer.
LEAST_TOPIC = 0.1


@dg.definitions
def defs() -> dg.Definitions:
    decision = frame_asset(
        "retention_campaign",
        group="6_campaigns",
        deps=["churn_scores_latest"],
        kinds={"polars"},
        compute=_decide,
        code=[campaign],
    )
    return dg.Definitions(assets=[decision, campaign_list])


def _decide(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    scores = connection.sql("FROM churn_scores_latest").pl()
    terms = shop.definition.campaign
    economics = Economics(
        budget=terms.budget,
        contact_cost=terms.contact_cost,
        margin=terms.margin,
        save_rate=terms.save_rate,
        holdout_share=terms.holdout_share,
        action=terms.action,
    )
    decided = json.dumps([shop.definition.version, scores["model_version"][0], asdict(economics)], sort_keys=True)
    list_id = f"{shop.plan.newest:%Y%m%d}-{hashlib.sha256(decided.encode()).hexdigest()[:8]}"
    return decide(scores, economics, list_id, shop.definition.reports.language).with_columns(
        snapshot_date=pl.lit(shop.plan.newest), definition_version=pl.lit(shop.definition.version)
    )


@dg.asset(
    group_name="6_campaigns",
    owners=["team:marketing"],
    kinds={"pandas", "csv"},
    deps=["retention_campaign", "churn_scores_latest"],
    dagster_type=CampaignList,
    io_manager_key="campaign_files",
)
def campaign_list(shop: Shop) -> pd.DataFrame:
    """Whom to contact, with what, why, and what to talk about: the treated arm of the newest list, most at stake first.

    `suggested_topic` is empty where nothing that the shop can act on speaks for churn by LEAST_TOPIC or more.
    """
    with shop.warehouse() as connection:
        return connection.execute(
            """
            SELECT rank, user_id, action, decision.churn_probability, decision.value_at_risk, expected_profit,
                reason_1_text AS reason,
                CASE WHEN top_actionable_contribution >= $least THEN top_actionable_text END AS suggested_topic, list_id
            FROM retention_campaign AS decision JOIN churn_scores_latest USING (snapshot_date, user_id)
            WHERE arm = 'treat' ORDER BY rank
            """,
            {"least": LEAST_TOPIC},
        ).df()
