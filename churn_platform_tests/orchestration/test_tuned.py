"""A tuning counts for the rows it was made on, and only where it beats the defaults."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.tuning import Tuning, searchable_rows
from churn_platform.errors import InputError
from churn_platform.orchestration.shop import Shop
from churn_platform.orchestration.tuned import plan_training, protocol, searched_key
from churn_platform.registry.candidate import candidate_version
from churn_platform.registry.tuning import TuningStore
from churn_platform.settings import Home
from churn_platform_tests.core.bgnbd_shop import rhythm_frame
from churn_platform_tests.orchestration.landed_files import landed_history

FRAME = rhythm_frame(customers=100, snapshots=4).sort("snapshot_date", "user_id")
EVERYONE = FRAME.tail(10)
BETTER = Tuning(
    parameters=BoostingParameters(max_depth=5),
    trials=30,
    rows=100,
    first_validation=date(2024, 1, 1),
    last_validation=date(2024, 1, 1),
    default_loss=0.6,
    loss=0.5,
    gain=0.1,
    standard_error=0.01,
)


@pytest.fixture
def planned(home: Home, shop: Shop) -> Shop:
    landed_history(home, "h", [date(2023, 7, 5), date(2024, 6, 30)])
    assert shop.plan.folds
    return shop


def keep(shop: Shop, tuning: Tuning) -> None:
    rows = searchable_rows(FRAME, shop.plan, window_days=shop.protocol.window_days)
    assert rows.height
    TuningStore(shop.home.models).save(searched_key(shop, rows), tuning)


def default_name(shop: Shop) -> str:
    return candidate_version(FRAME, shop.features, shop.plan, shop.definition.version, EVERYONE)


def test_without_a_search_the_defaults_train_and_test(planned: Shop) -> None:
    training = plan_training(planned, FRAME, EVERYONE)
    assert (training.name, training.parameters, training.told) == (default_name(planned), None, "default")
    assert protocol(planned, training.tuning) == planned.protocol


def test_a_better_best_trains_and_is_tested_with_the_same_parameters(planned: Shop) -> None:
    keep(planned, BETTER)
    training = plan_training(planned, FRAME, EVERYONE)
    assert training.parameters == BETTER.parameters
    assert training.name != default_name(planned)
    assert training.told == "churn tune, the best of 30 trials"
    assert protocol(planned, training.tuning) == replace(planned.protocol, parameters=BETTER.parameters)


def test_a_best_within_the_noise_changes_nothing(planned: Shop) -> None:
    keep(planned, replace(BETTER, gain=0.019))
    training = plan_training(planned, FRAME, EVERYONE)
    assert (training.name, training.tuning) == (default_name(planned), None)
    assert "the best of 30 trials was not better beyond the noise" in training.told


def test_other_rows_take_the_defaults_and_say_so(planned: Shop) -> None:
    keep(planned, BETTER)
    first = FRAME["snapshot_date"].min()
    other = FRAME.with_columns(
        churned=pl.when(pl.col("snapshot_date") == first).then(1 - pl.col("churned")).otherwise("churned")
    )
    training = plan_training(planned, other, EVERYONE)
    assert training.tuning is None and "run it again" in training.told
    later = FRAME.with_columns(
        churned=pl.when(pl.col("snapshot_date") > first).then(1 - pl.col("churned")).otherwise("churned")
    )
    assert plan_training(planned, later, EVERYONE).tuning == BETTER, "what no search may see does not matter"


def test_a_damaged_best_is_an_error(planned: Shop) -> None:
    keep(planned, BETTER)
    [key] = TuningStore(planned.home.models).keys()
    (planned.home.models / "tuning" / key / "best.json").write_text("{")
    with pytest.raises(InputError, match="run churn tune again"):
        plan_training(planned, FRAME, EVERYONE)
