"""The targets on champion_model: red checks, rows of quality_results, and no promotion."""

from datetime import date

import dagster as dg
import pytest

from churn_platform.core.acceptance import TARGETS
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import materialise, rows

pytestmark = pytest.mark.lifecycle

DAY = date(2025, 7, 31)


def judged(shop: SmallShop) -> tuple[dg.ExecuteInProcessResult, dict[str, dg.AssetCheckEvaluation]]:
    """Materialise champion_model; its checks by name."""
    result = materialise(shop.home, ["champion_model"], DAY, DAY)
    return result, {found.check_name: found for found in result.get_asset_check_evaluations()}


def test_a_missed_target_is_a_red_check_and_a_failed_expectation_of_the_same_run(shop_copy: SmallShop) -> None:
    stricter = shop_copy.definition.read_text().replace("minimum_auc = 0.5", "minimum_auc = 0.999\nmaximum_psi = 0.0")
    shop_copy.home.definition_file.write_text(stricter)
    registry = shop_copy.home.registry_file.read_text()
    result, checks = judged(shop_copy)
    assert result.success
    missed = ["maximum_psi", "minimum_auc"]
    assert sorted(name for name in TARGETS if not checks[name].passed) == missed
    kept = (
        "SELECT expectation FROM quality_results WHERE table_name = 'model_evaluation' AND status = 'failed'"
        f" AND run_id = '{result.run_id}' ORDER BY expectation"
    )
    assert rows(shop_copy.home.warehouse_file, kept) == [(name,) for name in missed]
    assert shop_copy.home.registry_file.read_text() == registry


def test_a_definition_that_was_changed_after_the_training_turns_every_check_red_and_says_what_to_do(
    shop_copy: SmallShop,
) -> None:
    changed = shop_copy.definition.read_text().replace("horizon_days = 30", "horizon_days = 45")
    shop_copy.home.definition_file.write_text(changed)
    registry = shop_copy.home.registry_file.read_text()
    result, checks = judged(shop_copy)
    assert not result.success
    assert checks.keys() == {*TARGETS, "signed_off"}
    for check in checks.values():
        assert not check.passed
        assert "was trained for the product definition" in str(check.description)
        assert "Train for it with 'churn run'" in str(check.description)
    assert shop_copy.home.registry_file.read_text() == registry
