"""The rules of the data readiness: one that fails stops the training, one that warns is shown."""

from collections.abc import Iterator

import dagster as dg

from churn_platform.core.data_readiness import RULES
from churn_platform.orchestration.readiness import verdicts_of
from churn_platform.orchestration.shop import Shop
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
