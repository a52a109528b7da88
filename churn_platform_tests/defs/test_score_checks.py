"""The check on the challenger: green without one and while it can score, else a warning with the reason."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from churn_platform.defs.scores.checks import challenger_scores
from churn_platform.orchestration.shop import Shop
from churn_platform.registry.candidate import train_candidate
from churn_platform.settings import Home
from churn_platform_tests.core.bgnbd_shop import FEATURES, WINDOW_DAYS, rhythm_frame


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(home_folder=str(Home(tmp_path / "home").create().root))


def check(shop: Shop) -> dg.AssetCheckResult:
    result = challenger_scores(shop)
    assert isinstance(result, dg.AssetCheckResult)
    return result


def train(shop: Shop) -> None:
    train_candidate(
        rhythm_frame(customers=150, snapshots=3),
        FEATURES,
        window_days=WINDOW_DAYS,
        name="v1",
        definition_version=shop.definition.version,
        store=shop.models,
    )
    shop.registry.record("v1", "candidate", actor="platform", at=datetime(2024, 5, 1, tzinfo=UTC), reason="trained")


def test_without_a_challenger_it_passes(shop: Shop) -> None:
    assert check(shop).passed
    assert check(shop).metadata["challenger"].value == "none"


def test_it_passes_while_the_challenger_can_score_and_warns_where_it_cannot(shop: Shop) -> None:
    train(shop)
    assert check(shop).passed and check(shop).description is None
    file = shop.home.models / "v1" / "model.json"
    file.write_bytes(file.read_bytes().replace(b"0", b"1", 1))
    found = check(shop)
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.WARN, "it turns no refresh red"
    assert found.description is not None
    assert found.description.startswith(f"v1 is not scored in the shadow: {file} has changed since the model was saved")
