import json
from datetime import date

import numpy as np
import polars as pl
import pytest

from churn_platform.core import churn_model
from churn_platform.core.bgnbd_scorer import BGNBD, BetaGeometricScorer
from churn_platform.core.churn_model import ALL_THREE, ALONE, PAIR, ChurnModel
from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.matched_loss import sigmoid
from churn_platform.core.metrics import auc
from churn_platform.errors import InputError, NotEnoughData, OutdatedModel
from churn_platform_tests.core.bgnbd_shop import FEATURES as RHYTHM_FEATURES
from churn_platform_tests.core.bgnbd_shop import rhythm_frame
from churn_platform_tests.core.shop_frame import FEATURES, WINDOW_DAYS, shop_frame

SMALL = BoostingParameters(seeds=2, max_rounds=200)
FRAME = shop_frame()
LATER = shop_frame(seed=9)
RHYTHM = rhythm_frame(customers=700)
RHYTHM_LATER = rhythm_frame(customers=700, seed=9)


def train(frame: pl.DataFrame, features: list[str] = FEATURES) -> ChurnModel:
    return ChurnModel.train(
        frame.select(features),
        frame["churned"].to_numpy(),
        frame["snapshot_date"],
        window_days=WINDOW_DAYS,
        parameters=SMALL,
    )


MODEL = train(FRAME)
RHYTHM_MODEL = train(RHYTHM, RHYTHM_FEATURES)


def hollow(frame: pl.DataFrame) -> pl.DataFrame:
    """The same users, churning at middling recency only, which a monotone model cannot see."""
    middling = frame["recency_days"].is_between(60, 120).to_numpy()
    noise = np.random.default_rng(4).random(frame.height) < 0.1
    return frame.with_columns(churned=pl.Series((middling ^ noise).astype(np.int8)))


def test_scores_other_users_well_and_within_bounds() -> None:
    p = MODEL.predict(LATER)
    assert auc(LATER["churned"], p) > 0.77
    assert ((p > 0) & (p < 1)).all()
    assert p.mean() == pytest.approx(LATER["churned"].mean(), abs=0.03)


def test_without_its_columns_the_bgnbd_is_left_out_and_the_report_says_so() -> None:
    assert MODEL.weights == MODEL.report.weights == PAIR
    assert MODEL.bgnbd is None
    assert MODEL.features == MODEL.boosted.features
    report = MODEL.report
    assert report.without_bgnbd == "the features lack active_days_total, active_tenure_days"
    assert report.chosen_by == "purged validation"
    assert (report.first_validation, report.last_validation) == (date(2024, 6, 29), date(2024, 7, 29))
    assert report.dropped_features == ("views_30d",)
    assert (report.rows, report.snapshots) == (FRAME.height, 8)
    assert report.losses.keys() == {"boosted", "logistic", "boosted+logistic"}
    expected = 0.5 * MODEL.boosted.predict_margin(LATER) + 0.5 * MODEL.logistic.predict_margin(LATER)
    assert MODEL.predict_margin(LATER) == pytest.approx(expected)
    assert MODEL.predict(LATER) == pytest.approx(sigmoid(expected + MODEL.season.level))


def test_all_three_are_averaged_where_validation_does_not_speak_against_it() -> None:
    report = RHYTHM_MODEL.report
    assert RHYTHM_MODEL.weights == ALL_THREE
    assert report.without_bgnbd is None
    assert report.losses.keys() == {
        "boosted", "logistic", "bgnbd", "boosted+logistic", "boosted+logistic+bgnbd"
    }  # fmt: skip
    assert report.losses["boosted+logistic+bgnbd"] < report.losses["boosted"]
    assert RHYTHM_MODEL.bgnbd is not None
    models = (RHYTHM_MODEL.boosted, RHYTHM_MODEL.logistic, RHYTHM_MODEL.bgnbd)
    expected = np.mean([model.predict_margin(RHYTHM_LATER) for model in models], axis=0)
    assert RHYTHM_MODEL.predict_margin(RHYTHM_LATER) == pytest.approx(expected)
    assert RHYTHM_MODEL.predict(RHYTHM_LATER) == pytest.approx(sigmoid(expected + RHYTHM_MODEL.season.level))


def test_trees_stand_alone_where_the_others_see_nothing() -> None:
    model = train(hollow(FRAME))
    losses = model.report.losses
    assert model.weights == ALONE
    assert losses["boosted"] < losses["boosted+logistic"] < losses["logistic"]
    assert model.predict_margin(LATER).tolist() == model.boosted.predict_margin(LATER).tolist()
    assert model.contributions(LATER).margin == pytest.approx(model.predict_margin(LATER), abs=1e-4)


def test_the_bgnbd_is_not_averaged_in_where_it_harms() -> None:
    model = train(hollow(RHYTHM), RHYTHM_FEATURES)
    assert model.weights == ALONE
    assert isinstance(model.bgnbd, BetaGeometricScorer)
    assert model.predict_margin(RHYTHM_LATER).tolist() == model.boosted.predict_margin(RHYTHM_LATER).tolist()
    assert BGNBD not in model.contributions(RHYTHM_LATER).features


@pytest.mark.parametrize(
    ("shifts", "chosen"),
    [
        ({"one": 0.0, "two": 0.0, "all": 0.0}, "all"),
        ({"one": -0.001, "two": 0.1, "all": 0.0}, "all"),
        ({"one": -0.1, "two": 0.1, "all": 0.0}, "one"),
        ({"one": -0.1, "two": -0.2, "all": 0.0}, "two"),
    ],
)
def test_a_simpler_blend_must_be_clearly_better(shifts: dict[str, float], chosen: str) -> None:
    noise = np.random.default_rng(2)
    losses = {name: 0.5 + shift + 0.1 * noise.standard_normal(400) for name, shift in shifts.items()}
    assert churn_model._chosen(losses) == chosen


def test_contributions_add_up_to_the_blended_margin() -> None:
    parts = MODEL.contributions(LATER)
    assert parts.features == MODEL.features
    assert parts.values.shape == (LATER.height, len(MODEL.features))
    assert parts.margin == pytest.approx(MODEL.predict_margin(LATER), abs=1e-4)


def test_the_bgnbds_contribution_is_one_part_about_the_training_mean() -> None:
    parts = RHYTHM_MODEL.contributions(RHYTHM)
    assert parts.features == (*RHYTHM_MODEL.boosted.features, BGNBD)
    assert parts.margin == pytest.approx(RHYTHM_MODEL.predict_margin(RHYTHM), abs=1e-4)
    assert parts.values[:, -1].mean() == pytest.approx(0, abs=1e-9)
    assert parts.values[:, -1].std() > 0.1


def test_a_users_score_does_not_depend_on_the_others() -> None:
    whole = MODEL.predict(LATER)
    assert MODEL.predict(LATER[100:110]).tolist() == whole[100:110].tolist()


def test_many_users_are_scored_in_parts_with_the_same_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = RHYTHM_MODEL.predict(RHYTHM_LATER)
    monkeypatch.setattr(churn_model, "_USERS_AT_ONCE", 301)
    assert RHYTHM_MODEL.predict(RHYTHM_LATER).tolist() == whole.tolist()


def test_the_probabilities_have_the_level_of_the_latest_snapshots_beside_their_effects() -> None:
    latest = FRAME.filter(pl.col("snapshot_date").is_in(list(MODEL.season.snapshots[-3:])))
    own = MODEL.predict_margin(latest) + MODEL.season.level + MODEL.season.of_training(latest["snapshot_date"])
    assert sigmoid(own).mean() == pytest.approx(latest["churned"].mean(), abs=1e-3)
    assert MODEL.season.level != 0
    assert MODEL.fitted_probability(MODEL.predict_margin(latest), latest["snapshot_date"]) == pytest.approx(
        sigmoid(own)
    )


def test_a_year_later_the_probability_follows_the_season_and_the_ranking_stays() -> None:
    season = pl.col("snapshot_date") < date(2024, 3, 1)
    swinging = FRAME.with_columns(
        churned=pl.when(season).then(pl.lit(1, pl.Int8).alias("churned")).otherwise("churned")
    )
    model = train(swinging)
    before = LATER.with_columns(snapshot_date=pl.lit(date(2024, 12, 15)))
    within = LATER.with_columns(snapshot_date=pl.lit(date(2025, 1, 15)))
    assert min(model.season.effects[:2]) > 1
    assert max(model.season.effects[2:]) < 0
    assert model.predict(before) == pytest.approx(sigmoid(model.predict_margin(before) + model.season.level))
    assert model.predict(within) == pytest.approx(
        sigmoid(model.predict_margin(within) + model.season.shift(date(2025, 1, 15)))
    )
    assert model.predict(within).mean() > model.predict(before).mean() + 0.1
    assert (np.argsort(model.predict(within)) == np.argsort(model.predict_margin(before))).all()


@pytest.mark.parametrize("dates", [[], [pl.lit("2024-01-01").alias("snapshot_date")]], ids=["missing", "text"])
def test_a_probability_needs_the_date_of_its_snapshot(dates: list[pl.Expr]) -> None:
    users = LATER.drop("snapshot_date").with_columns(dates)
    assert len(MODEL.predict_margin(users)) == users.height
    with pytest.raises(InputError, match="snapshot_date"):
        MODEL.predict(users)


def test_the_choice_ignores_purged_rows() -> None:
    days = FRAME["snapshot_date"]
    purged = ((days > date(2024, 3, 31)) & (days < date(2024, 6, 29))).to_numpy()
    flipped = FRAME.with_columns(churned=pl.when(pl.Series(purged)).then(1 - pl.col("churned")).otherwise("churned"))
    assert purged.sum() == 2 * 400
    other = train(flipped).report
    assert (other.rounds, other.losses) == (MODEL.report.rounds, MODEL.report.losses)
    assert other.churn_rate != MODEL.report.churn_rate


def test_a_short_history_takes_the_defaults_and_says_so() -> None:
    model = train(FRAME.filter(pl.col("snapshot_date") < date(2024, 3, 1)))
    assert model.report.chosen_by == "default"
    assert (model.report.rounds, model.weights) == (SMALL.rounds_without_validation, PAIR)
    assert model.report.first_validation is None
    assert model.report.losses == {}
    assert ChurnModel.load(model.save()).report == model.report
    assert train(RHYTHM.filter(pl.col("snapshot_date") < date(2024, 3, 1)), RHYTHM_FEATURES).weights == ALL_THREE


@pytest.mark.parametrize(
    ("model", "frame", "later", "features"),
    [(MODEL, FRAME, LATER, FEATURES), (RHYTHM_MODEL, RHYTHM, RHYTHM_LATER, RHYTHM_FEATURES)],
    ids=["pair", "all three"],
)
def test_saved_and_loaded_is_the_same_model_and_training_repeats(
    model: ChurnModel, frame: pl.DataFrame, later: pl.DataFrame, features: list[str]
) -> None:
    files = model.save()
    loaded = ChurnModel.load(files)
    assert loaded.predict(later).tolist() == model.predict(later).tolist()
    assert loaded.contributions(later).values.tolist() == model.contributions(later).values.tolist()
    assert loaded.report == model.report
    assert loaded.bgnbd == model.bgnbd
    assert train(frame, features).save() == files
    assert {name.rsplit(".")[-1] for name in files} == {"json", "ubj"}


def test_missing_feature_is_named_at_scoring() -> None:
    with pytest.raises(InputError, match="missing: recency_days"):
        MODEL.predict(LATER.drop("recency_days"))
    with pytest.raises(InputError, match="missing: recency_days"):
        MODEL.contributions(LATER.drop("recency_days"))
    with pytest.raises(InputError, match="missing: active_tenure_days"):
        RHYTHM_MODEL.predict(RHYTHM_LATER.drop("active_tenure_days"))


def test_a_feature_that_never_varied_need_not_exist_at_scoring() -> None:
    assert MODEL.predict(LATER.drop("views_30d")).tolist() == MODEL.predict(LATER).tolist()


def test_missing_and_foreign_files_are_refused() -> None:
    files = MODEL.save()
    with pytest.raises(InputError, match=r"lacks its file model\.json"):
        ChurnModel.load({})
    with pytest.raises(InputError, match=r"boosted_1\.ubj"):
        ChurnModel.load({name: content for name, content in files.items() if name != "boosted_1.ubj"})
    foreign = json.dumps(json.loads(files["model.json"]) | {"format": 99}).encode()
    with pytest.raises(OutdatedModel, match=f"format 99, but this version reads {churn_model._FORMAT}"):
        ChurnModel.load(files | {"model.json": foreign})


def test_one_class_is_refused() -> None:
    with pytest.raises(NotEnoughData, match="0 churners"):
        train(FRAME.with_columns(churned=pl.lit(0)))
