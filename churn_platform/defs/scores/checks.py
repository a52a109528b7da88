"""Whether the challenger, where there is one, can be scored in the shadow."""

import dagster as dg

from churn_platform.orchestration.challenger import find_challenger
from churn_platform.orchestration.shop import Shop


@dg.asset_check(
    name="challenger_scores",
    asset="shadow_scores",
    description="The newest candidate is the champion, or is whole and made for this product definition.",
)
def challenger_scores(shop: Shop) -> dg.AssetCheckResult:
    """Stops nothing: the champion scores whether the challenger can or not."""
    found = find_challenger(shop)
    if found is None:
        return dg.AssetCheckResult(passed=True, metadata={"challenger": "none"})
    return dg.AssetCheckResult(
        passed=found.model is not None,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{found.version} is not scored in the shadow: {found.why}" if found.why else None,
        metadata={"challenger": found.version},
    )
