"""Whether a candidate may become champion: its files, its product definition, and the targets of `churn.toml`."""

from churn_platform.contracts.targets import EVALUATION, targets_of
from churn_platform.core.acceptance import Goals, Verdict
from churn_platform.core.churn_model import ChurnModel
from churn_platform.errors import UsageError
from churn_platform.orchestration.shop import Shop
from churn_platform.warehouse.connection import table_exists
from churn_platform.warehouse.targets import judge_targets


def require_scorable(shop: Shop, version: str) -> None:
    """Refuse a model that could not score tomorrow, whatever its targets say.

    Raises:
        UsageError: there is no such model, or it was trained for another product definition.
        InputError: a file of the model is missing or has changed, or is of an earlier version of the platform.
    """
    trained_for = shop.models.manifest(version)["definition_version"]
    if trained_for != shop.definition.version:
        raise UsageError(
            f"Model '{version}' was trained for the product definition {trained_for}, but churn.toml now is "
            f"{shop.definition.version}: [churn] or timezone has changed since. Train for it with 'churn run', or "
            "restore what churn.toml said."
        )
    ChurnModel.load(shop.models.load(version))


def judge_candidate(shop: Shop, version: str, *, run_id: str | None = None) -> list[Verdict]:
    """Hold the out-of-time evaluation of a model against the targets, and keep the result in quality_results.

    Args:
        run_id: the Dagster run; None where a person asks for the promotion.

    Raises:
        UsageError: the model has not been evaluated.
    """
    with shop.warehouse() as connection:
        asked = f"SELECT count(*) FROM {EVALUATION} WHERE model_version = $version"
        rows = (
            connection.execute(asked, {"version": version}).fetchall()[0][0]
            if table_exists(connection, EVALUATION)
            else 0
        )
        if not rows:
            raise UsageError(
                f"Model '{version}' has not been evaluated. Materialise model_evaluation, or run 'churn run' again."
            )
        return judge_targets(
            connection,
            targets_of(Goals(**shop.definition.targets.model_dump()), version),
            run_id=run_id or f"promotion-{version}-{shop.now():%Y%m%dT%H%M%S}",
            checked_at=shop.now(),
        )
