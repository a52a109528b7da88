"""Features and labels as of each snapshot, whether they can carry a model, and the examples that one may learn from."""

import dagster as dg

from churn_platform.core import binning, data_readiness, feature_quality, psi, readiness_figures
from churn_platform.orchestration import feature_report, readiness
from churn_platform.orchestration.definition_report import report_on_definitions
from churn_platform.orchestration.feature_report import measure_features, report_on_features
from churn_platform.orchestration.feature_tables import feature_tables
from churn_platform.orchestration.gated_assets import frame_asset, sql_asset
from churn_platform.orchestration.readiness import judge_data, report_on

GROUP = "3_features"


@dg.definitions
def defs() -> dg.Definitions:
    tables = [
        sql_asset(table, group=GROUP) for table in (*feature_tables(), "churn_labels", "churn_dates", "event_weeks")
    ]
    judged = frame_asset(
        "data_readiness",
        group=GROUP,
        deps=["event_weeks", "churn_labels"],
        kinds={"polars"},
        compute=judge_data,
        code=[data_readiness, readiness_figures, readiness],
        after=report_on,
    )
    lab = sql_asset("definition_lab", group=GROUP, after=report_on_definitions)
    examples = sql_asset("training_set", group=GROUP, deps=["data_readiness"])
    measured = frame_asset(
        "feature_quality",
        group=GROUP,
        deps=["training_set", *feature_tables()],
        kinds={"polars"},
        compute=measure_features,
        code=[feature_quality, binning, psi, feature_report],
        after=report_on_features,
    )
    return dg.Definitions(assets=[*tables, judged, lab, examples, measured])
