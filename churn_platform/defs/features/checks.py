"""What stops the training: a rule of the data readiness that fails, a feature that tells too much."""

from collections.abc import Iterator

import dagster as dg

from churn_platform.core.data_readiness import RULES
from churn_platform.orchestration.feature_report import suspects_of
from churn_platform.orchestration.readiness import verdicts_of
from churn_platform.orchestration.shop import Shop
from churn_platform.reports import feature_quality
from churn_platform.reports.data_readiness import PAGE

TABLE = "data_readiness"


@dg.multi_asset_check(
    name="data_readiness_rules",
    specs=[dg.AssetCheckSpec(rule, asset=TABLE, description=text, blocking=True) for rule, text in RULES.items()],
)
def data_readiness_rules(shop: Shop) -> Iterator[dg.AssetCheckResult]:
    """A step of its own, so that the table and its report stand although a rule fails."""
    with shop.warehouse() as connection:
        verdicts = verdicts_of(connection)
    for found in verdicts:
        yield dg.AssetCheckResult(
            asset_key=TABLE,
            check_name=found.rule,
            passed=found.verdict == "pass",
            severity=dg.AssetCheckSeverity.ERROR if found.verdict == "fail" else dg.AssetCheckSeverity.WARN,
            description=found.advice or None,
            metadata={"observed": found.observed, "required": found.threshold},
        )
    failed = [found for found in verdicts if found.verdict == "fail"]
    if failed:
        told = "\n".join(
            f"  {found.rule}: {found.observed}; required {found.threshold}. {found.advice}" for found in failed
        )
        raise dg.Failure(
            description=f"The data are not ready, so that no model is trained.\n{told}\n"
            f"The whole report: {shop.home.reports / PAGE}, or: churn readiness --home {shop.home.root}",
            allow_retries=False,
        )


@dg.multi_asset_check(
    name="feature_quality_rules",
    specs=[
        dg.AssetCheckSpec(
            "no_feature_tells_too_much",
            asset="feature_quality",
            description="No feature alone has an AUC above targets.maximum_auc: such a one knows the future.",
            blocking=True,
        )
    ],
)
def feature_quality_rules(shop: Shop) -> Iterator[dg.AssetCheckResult]:
    """A step of its own, so that the table and its report stand although a feature fails."""
    with shop.warehouse() as connection:
        suspects = suspects_of(connection)
    told = ", ".join(f"{name} ({auc:.3f})" for name, auc in suspects.items())
    yield dg.AssetCheckResult(
        asset_key="feature_quality",
        check_name="no_feature_tells_too_much",
        passed=not suspects,
        metadata={"observed": told or "none"},
    )
    if suspects:
        raise dg.Failure(
            description=f"{len(suspects)} features tell too much, so that no model is trained. Alone they have an AUC "
            f"above {shop.definition.targets.maximum_auc} (targets.maximum_auc): {told}. Look for what is recorded "
            "only once a customer has left and leave it out of mapping.toml, or raise the ceiling in churn.toml. "
            "The whole report: "
            f"{shop.home.reports / feature_quality.PAGE}",
            allow_retries=False,
        )
