"""A candidate's name is the hash of what it was made from; what is kept scores as what was trained."""

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.evaluation import CHAMPION, Protocol
from churn_platform.core.metrics import auc
from churn_platform.core.snapshots import SnapshotPlan
from churn_platform.errors import NotEnoughData
from churn_platform.registry import candidate
from churn_platform.registry.candidate import (
    candidate_version,
    digest_of_rows,
    evaluate_candidate,
    evaluate_folds,
    train_candidate,
)
from churn_platform.registry.store import ModelStore
from churn_platform_tests.core.shop_frame import FEATURES, WINDOW_DAYS, shop_frame

FRAME = shop_frame(users=60, snapshots=6)
GRID = tuple(sorted(FRAME["snapshot_date"].unique()))
PLAN = SnapshotPlan(date(2024, 9, 1), GRID, (date(2024, 5, 30),))


def version(
    frame: pl.DataFrame = FRAME, plan: SnapshotPlan = PLAN, definition: str = "d1", features: list[str] = FEATURES
) -> str:
    return candidate_version(frame, features, plan, definition)


def test_the_same_inputs_give_the_same_name() -> None:
    assert version() == version(FRAME.clone(), replace(PLAN))
    assert len(version()) == 12


@pytest.mark.parametrize(
    "changed",
    [
        {"plan": replace(PLAN, folds=(date(2024, 5, 31),))},
        {"plan": replace(PLAN, folds=())},
        {"plan": replace(PLAN, labelled=GRID[1:])},
        {"definition": "d2"},
        {"features": FEATURES[:-1]},
        {"frame": FRAME.head(-1)},
        {"frame": FRAME.reverse()},
        {"frame": FRAME.rename({"views_30d": "views_60d"})},
        {"frame": FRAME.with_columns(churned=1 - pl.col("churned"))},
        {"frame": FRAME.with_columns(user_id=pl.lit("u") + pl.col("user_id"))},
        {"frame": FRAME.with_columns(views_30d=pl.when(pl.int_range(pl.len()) == 7).then(None).otherwise("views_30d"))},
    ],
    ids=["fold", "no fold", "grid", "definition", "features", "row", "order", "column", "label", "user", "null"],
)
def test_another_input_gives_another_name(changed: dict[str, object]) -> None:
    assert version(**changed) != version()  # type: ignore[arg-type]


def test_another_customer_to_be_tested_on_gives_another_name() -> None:
    everyone = FRAME.filter(snapshot_date=PLAN.folds[0])
    named = candidate_version(FRAME, FEATURES, PLAN, "d1", everyone)
    assert candidate_version(FRAME, FEATURES, PLAN, "d1", everyone.head(-1)) != named != version()


def test_another_recipe_gives_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = version()
    monkeypatch.setattr(candidate, "RECIPE", candidate.RECIPE[:-1])
    assert version() != before


def test_the_recipe_holds_every_module_that_the_model_is_made_with() -> None:
    recipe = {module.__name__ for module in candidate.RECIPE}
    for module in candidate.RECIPE:
        used = set(re.findall(r"^from (churn_platform\.core\.\w+) import", inspect.getsource(module), re.MULTILINE))
        assert used <= recipe, f"{module.__name__} uses {used - recipe}"


def test_the_number_type_of_a_column_does_not_matter() -> None:
    assert version(FRAME.with_columns(pl.col("orders_90d").cast(pl.Int32))) == version()


def test_what_is_kept_scores_as_what_was_trained(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    training = train_candidate(
        FRAME, FEATURES, window_days=WINDOW_DAYS, name="v1", definition_version="d1", store=store
    )
    manifest = store.manifest("v1")
    assert manifest["training"] == json.loads(json.dumps(training))
    assert manifest["definition_version"] == "d1"
    assert set(manifest["features"]) <= set(FEATURES)
    assert {"python", "polars", "numpy", "scipy", "scikit-learn", "duckdb"} < set(manifest["libraries"])
    assert manifest["data"] == {"rows": FRAME.height, "sha256": digest_of_rows(FRAME).hexdigest()}
    assert set(manifest["code"]) == {"version", "recipe_sha256"}
    assert manifest["seeds"] == [0, 1, 2, 3, 4]
    trained = ChurnModel.train(
        FRAME.select(FEATURES), FRAME["churned"].to_numpy(), FRAME["snapshot_date"], window_days=WINDOW_DAYS
    )
    assert (ChurnModel.load(store.load("v1")).predict(FRAME) == trained.predict(FRAME)).all()


ELSEWHERE = """
import sys
from pathlib import Path

from churn_platform.core.churn_model import ChurnModel
from churn_platform.registry.candidate import train_candidate
from churn_platform.registry.store import ModelStore
from churn_platform_tests.core.shop_frame import FEATURES, WINDOW_DAYS, shop_frame

frame, store = shop_frame(users=60, snapshots=6), ModelStore(Path(sys.argv[1]))
frame.select(score=ChurnModel.load(store.load("v1")).predict(frame)).write_parquet(sys.argv[2])
train_candidate(frame, FEATURES, window_days=WINDOW_DAYS, name="again", definition_version="d1", store=store)
"""


def test_another_process_with_other_threads_scores_from_the_folder_alone_and_trains_the_same_bytes(
    tmp_path: Path,
) -> None:
    here, there, scores = ModelStore(tmp_path / "here"), tmp_path / "there", tmp_path / "scores.parquet"
    train_candidate(FRAME, FEATURES, window_days=WINDOW_DAYS, name="v1", definition_version="d1", store=here)
    shutil.copytree(here.folder / "v1", there / "v1")
    expected = ChurnModel.load(here.load("v1")).predict(FRAME)
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(there), str(scores)],
        cwd=Path(__file__).parents[2], env=os.environ | threads, check=True,
    )  # fmt: skip
    assert pl.read_parquet(scores)["score"].to_numpy() == pytest.approx(expected, abs=1e-6)
    assert ModelStore(there).load("again") == here.load("v1")


def test_other_libraries_give_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = version()
    monkeypatch.setattr(candidate, "_installed", lambda: {"xgboost-cpu": "1.0.0"})
    assert version() != before


def test_nothing_is_kept_of_a_training_that_is_refused(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    with pytest.raises(NotEnoughData):
        train_candidate(
            FRAME.with_columns(churned=pl.lit(1, pl.Int8)),
            FEATURES,
            window_days=WINDOW_DAYS,
            name="v1",
            definition_version="d1",
            store=store,
        )
    assert store.versions() == []


def test_an_evaluation_names_the_model_and_counts_the_fold() -> None:
    fold = date(2024, 5, 30)
    protocol = Protocol(window_days=WINDOW_DAYS, capacity=10, resamples=50)
    at_fold = FRAME.filter(pl.col("snapshot_date") == fold)
    gone = at_fold.head(20).with_columns(user_id=pl.lit("x") + pl.col("user_id"), recency_days=pl.lit(300, pl.Int64))
    everyone = pl.concat([at_fold, gone])
    labelled = {("eligible", fold): at_fold.height + 1, ("all", fold): everyone.height + 2}
    rows, predictions = evaluate_candidate(
        FRAME, FEATURES, PLAN, protocol=protocol, name="v1", labelled=labelled, everyone=everyone
    )
    assert set(rows["model_version"]) == {"v1"}
    assert set(rows["fold"]) == {fold}
    own, of_all = (
        dict(rows.filter(model=CHAMPION, population=population).select("metric", "value").rows())
        for population in ("eligible", "all")
    )
    assert of_all["users"] == everyone.height
    assert of_all["coverage"] == pytest.approx(everyone.height / (everyone.height + 2))
    assert of_all["churn_rate"] == pytest.approx(everyone["churned"].mean())
    assert own["users"] == at_fold.height
    assert own["coverage"] == pytest.approx(at_fold.height / (at_fold.height + 1))
    coverage = rows.filter(metric="coverage", population="eligible").row(0, named=True)
    assert 0.9 < coverage["lower"] < coverage["value"] < coverage["upper"] < 1
    assert of_all["auc"] == pytest.approx(auc(predictions["churned"], predictions["probability"]))
    eligible = predictions.filter("is_eligible")
    assert own["auc"] == pytest.approx(auc(eligible["churned"], eligible["probability"]))
    assert set(eligible["user_id"]) == set(at_fold["user_id"])
    assert predictions.columns == ["user_id", "churned", "fold", "probability", "is_eligible"]
    assert own["churn_rate"] == pytest.approx(at_fold.select(pl.col("churned").mean()).item())
    closed = FRAME.filter(pl.col("snapshot_date") + pl.duration(days=WINDOW_DAYS) <= fold)
    assert own["training_rows"] == closed.height
    assert 0 <= own["auc"] <= 1
    assert rows.select("fold", "population", "model", "metric").is_unique().all()
    assert rows.filter(pl.col("metric") == "auc")["model"].n_unique() > 1


def test_a_fold_off_the_grid_is_tested_on_and_never_learnt_from() -> None:
    older, newer = GRID[3], GRID[5]
    plan = SnapshotPlan(date(2024, 9, 1), tuple(day for day in GRID if day not in (older, newer)), (newer, older))
    protocol = Protocol(window_days=WINDOW_DAYS, capacity=10, resamples=20)
    found = list(evaluate_folds(FRAME, FEATURES, plan, protocol))
    assert [fold.fold for fold in found] == [newer, older]
    for fold in found:
        closed = [day for day in plan.labelled if day + timedelta(days=WINDOW_DAYS) <= fold.fold]
        assert list(fold.training_snapshots) == closed
        assert fold.users == FRAME.filter(snapshot_date=fold.fold).height
