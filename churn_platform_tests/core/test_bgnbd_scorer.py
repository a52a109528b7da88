import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.core.bgnbd import BetaGeometricNBD
from churn_platform.core.bgnbd_scorer import (
    BGNBD,
    HISTORY_COLUMNS,
    BetaGeometricScorer,
    missing_history,
    no_purchase_slopes,
)
from churn_platform.core.metrics import auc
from churn_platform.errors import InputError, NotEnoughData
from churn_platform_tests.core.bgnbd_shop import TRUTH, WINDOW_DAYS, rhythm_frame

FRAME = rhythm_frame()
LATER = rhythm_frame(seed=9)


def fit(frame: pl.DataFrame) -> BetaGeometricScorer:
    return BetaGeometricScorer.fit(frame, frame["churned"].to_numpy(), frame["snapshot_date"], window_days=WINDOW_DAYS)


SCORER = fit(FRAME)


def truly_silent(frame: pl.DataFrame, model: BetaGeometricNBD = TRUTH) -> np.ndarray:
    days, tenure, recency = (frame[name].to_numpy().astype(float) for name in HISTORY_COLUMNS)
    return model.probability_no_purchase(days - 1, tenure - recency, tenure, WINDOW_DAYS)


def test_it_ranks_as_well_as_the_truth_and_is_as_sure() -> None:
    best = auc(LATER["churned"], truly_silent(LATER))
    assert best > 0.75
    assert auc(LATER["churned"], SCORER.predict(LATER)) > best - 0.005
    assert np.abs(SCORER.predict(LATER) - truly_silent(LATER)).mean() < 0.03


def test_the_likelihood_of_eligible_histories_misses_the_dropouts_that_outcomes_show() -> None:
    days, tenure, recency = (FRAME[name].to_numpy() for name in HISTORY_COLUMNS)
    history = (days - 1, tenure - recency, tenure)
    by_history = BetaGeometricNBD.fit(*history)
    alive = [model.probability_alive(*history).mean() for model in (TRUTH, SCORER.model, by_history)]
    assert alive == sorted(alive)
    assert alive[2] > alive[0] + 0.1
    ranked = [auc(LATER["churned"], truly_silent(LATER, model)) for model in (by_history, SCORER.model)]
    assert ranked == sorted(ranked)


def test_a_seasonal_base_rate_moves_the_intercept_and_not_the_ranking() -> None:
    noise = np.random.default_rng(7).random(FRAME.height)
    season = (FRAME["snapshot_date"].dt.month() % 2 == 0).to_numpy()
    saved = season & (noise < 0.5)
    seasonal = FRAME.with_columns(churned=pl.when(pl.Series(saved)).then(0).otherwise("churned"))
    other = fit(seasonal)
    assert other.predict(LATER).mean() < SCORER.predict(LATER).mean() - 0.05
    assert auc(LATER["churned"], other.predict(LATER)) == pytest.approx(
        auc(LATER["churned"], SCORER.predict(LATER)), abs=0.01
    )


def test_the_margin_is_one_contribution_about_the_training_mean() -> None:
    parts = SCORER.contributions(FRAME)
    assert parts.features == (BGNBD,)
    assert parts.values.mean() == pytest.approx(0, abs=1e-8)
    assert parts.margin == pytest.approx(SCORER.predict_margin(FRAME))


def test_the_same_rows_give_the_same_scorer_and_it_travels_as_json() -> None:
    assert fit(FRAME) == SCORER
    stored = json.loads(json.dumps(SCORER.to_dict()))
    assert BetaGeometricScorer.from_dict(stored) == SCORER


def test_no_history_is_surer_than_the_limit() -> None:
    silent = pl.DataFrame({"active_days_total": [900], "active_tenure_days": [1000], "recency_days": [95]})
    limit = SCORER.slope * 8 + SCORER.intercept
    assert SCORER.predict_margin(silent).tolist() == [limit]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.1, 5), min_size=4, max_size=4),
    st.integers(0, 30),
    st.floats(0, 1),
    st.floats(0.2, 5),
    st.floats(0.1, 3),
)
def test_slopes_are_those_of_the_log_odds(
    parameters: list[float], frequency: int, share: float, age: float, horizon: float
) -> None:
    x, t = np.array([float(frequency)]), np.array([age])
    t_x = share * t if frequency else 0 * t
    _, slopes = no_purchase_slopes(np.array(parameters), x, t_x, t, horizon)
    for position in range(4):
        step = np.zeros(4)
        step[position] = 1e-6 * parameters[position]
        above, _ = no_purchase_slopes(np.array(parameters) + step, x, t_x, t, horizon)
        below, _ = no_purchase_slopes(np.array(parameters) - step, x, t_x, t, horizon)
        assert slopes[position] == pytest.approx((above - below) / (2 * step[position]), rel=1e-3, abs=1e-5)


def test_missing_columns_nulls_and_impossible_histories_are_named() -> None:
    assert missing_history(FRAME) == []
    assert missing_history(FRAME.drop("recency_days")) == ["recency_days"]
    with pytest.raises(InputError, match="needs the columns active_tenure_days, which are missing"):
        SCORER.predict(LATER.drop("active_tenure_days"))
    with pytest.raises(InputError, match="no null"):
        SCORER.predict(LATER.with_columns(recency_days=pl.lit(None, dtype=pl.Int64)))
    with pytest.raises(InputError, match="recency -"):
        SCORER.predict(LATER.with_columns(recency_days=pl.col("active_tenure_days") + 1))


def test_one_class_and_equal_histories_are_refused() -> None:
    with pytest.raises(NotEnoughData, match="0 churners"):
        fit(FRAME.with_columns(churned=pl.lit(0)))
    same = FRAME.with_columns(active_days_total=pl.lit(2), active_tenure_days=pl.lit(50), recency_days=pl.lit(9))
    with pytest.raises(NotEnoughData, match="0 such features"):
        fit(same)
