"""What a search has found, kept under a hash of what it saw; a training with it gives equal bytes."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.snapshots import SnapshotPlan
from churn_platform.core.tuning import Tuning, searchable_rows
from churn_platform.errors import InputError
from churn_platform.registry.candidate import candidate_version, train_candidate
from churn_platform.registry.store import ModelStore
from churn_platform.registry.tuning import TuningStore, tuning_key
from churn_platform_tests.core.shop_frame import FEATURES, WINDOW_DAYS, shop_frame

FRAME = shop_frame(users=80, snapshots=8)
GRID = tuple(sorted(FRAME["snapshot_date"].unique()))
PLAN = SnapshotPlan(date(2024, 12, 1), GRID, (GRID[7], GRID[6]))
FOUND = Tuning(
    parameters=BoostingParameters(learning_rate=0.0712345678901234, max_depth=2, subsample=0.9),
    trials=12,
    rows=320,
    first_validation=GRID[3],
    last_validation=GRID[3],
    default_loss=0.6,
    loss=0.58,
    gain=0.02,
    standard_error=0.005,
)


def key(frame: pl.DataFrame = FRAME, features: list[str] = FEATURES, definition: str = "d1") -> str:
    return tuning_key(searchable_rows(frame, PLAN, window_days=WINDOW_DAYS), features, definition)


def planted(first: date) -> pl.DataFrame:
    return FRAME.with_columns(
        churned=pl.when(pl.col("snapshot_date") >= first).then(1 - pl.col("churned")).otherwise("churned")
    )


def test_the_key_is_of_what_the_search_sees_and_nothing_else() -> None:
    assert key() == key(planted(GRID[4])), "labels that close after the earliest fold"
    others = {
        key(planted(GRID[3])),
        key(definition="d2"),
        key(features=FEATURES[:-1]),
        key(FRAME.filter(pl.col("user_id") != "u0001")),
    }
    assert len(others | {key()}) == 5


def test_what_was_found_is_read_as_it_was_kept(tmp_path: Path) -> None:
    store = TuningStore(tmp_path)
    assert store.read("k1") is None and store.keys() == []
    file = store.save("k1", FOUND)
    assert store.read("k1") == FOUND and store.keys() == ["k1"]
    assert file.read_bytes() == store.save("k1", FOUND).read_bytes()
    assert ModelStore(tmp_path).versions() == [], "a tuning is no model"


@pytest.mark.parametrize("content", ["{", '{"trials": 3}', '{"parameters": {"max_depth": "deep"}}'])
def test_a_damaged_file_is_refused(tmp_path: Path, content: str) -> None:
    store = TuningStore(tmp_path)
    store.save("k1", FOUND).write_text(content)
    with pytest.raises(InputError, match=r"best\.json is damaged \(.+: .+\)\. Remove it and run churn tune again"):
        store.read("k1")


def train(store: ModelStore, name: str, tuning: Tuning | None) -> None:
    train_candidate(
        FRAME, FEATURES, window_days=WINDOW_DAYS, name=name, definition_version="d1", store=store, tuning=tuning
    )


def test_the_same_parameters_and_rows_give_the_same_bytes_and_others_do_not(tmp_path: Path) -> None:
    store, again = ModelStore(tmp_path / "one"), ModelStore(tmp_path / "two")
    train(store, "m", FOUND)
    train(again, "m", TuningStore(tmp_path).read(TuningStore(tmp_path).save("k1", FOUND).parent.name))
    assert store.load("m") == again.load("m")
    assert store.manifest("m") == again.manifest("m")
    train(store, "default", None)
    assert store.load("default") != store.load("m")


def test_the_manifest_says_which_parameters_and_where_they_come_from(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    train(store, "tuned", FOUND)
    train(store, "default", None)
    tuned, default = store.manifest("tuned"), store.manifest("default")
    assert BoostingParameters(**tuned["parameters"]) == FOUND.parameters
    assert (tuned["tuning"]["trials"], tuned["tuning"]["gain"]) == (12, 0.02)
    assert BoostingParameters(**default["parameters"]) == BoostingParameters() and default["tuning"] is None


def test_the_parameters_enter_the_name_of_the_candidate() -> None:
    def name(parameters: BoostingParameters | None) -> str:
        return candidate_version(FRAME, FEATURES, PLAN, "d1", parameters=parameters)

    assert name(FOUND.parameters) == name(FOUND.parameters)
    assert len({name(None), name(FOUND.parameters), name(BoostingParameters(max_depth=2))}) == 3
