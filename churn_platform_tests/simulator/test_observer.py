from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from churn_platform.simulator import observer
from churn_platform.simulator.observer import observable_churn_probability
from churn_platform.simulator.seasons import Floats
from churn_platform.simulator.shop import SimulatedChunk
from churn_platform.simulator.shop_settings import ShopSettings
from churn_platform.simulator.truth import observed_churn, true_churn_probability
from churn_platform_tests.benchmarks.truth import beside_the_law, expected_ece, figures_table

pytestmark = pytest.mark.lifecycle

SNAPSHOT = date(2025, 7, 1)
SETTINGS = ShopSettings(dirty_share=0.0)


@pytest.fixture(scope="module")
def few(shop: SimulatedChunk) -> SimulatedChunk:
    return SimulatedChunk(shop.events.filter(pl.col("customer") < "C00000600"), shop.truth.head(600))


@pytest.fixture(scope="module")
def scored(few: SimulatedChunk) -> pl.DataFrame:
    """Eligible customers: churned, observable, true."""
    return judged(few, observable_churn_probability(few.events, SETTINGS, SNAPSHOT))


def expected_auc(true: Floats, score: Floats) -> float:
    """AUC of a score where each customer churns with a known probability."""
    outcome = np.repeat([1, 0], true.size)
    return float(roc_auc_score(outcome, np.tile(score, 2), sample_weight=np.concatenate([true, 1 - true])))


def judged(shop: SimulatedChunk, observable: pl.DataFrame) -> pl.DataFrame:
    true = true_churn_probability(shop, SNAPSHOT).rename({"probability": "true"})
    return observed_churn(shop, SNAPSHOT).join(true, on="user_id").join(
        observable.rename({"probability": "observable"}), on="user_id"
    )  # fmt: skip


def test_on_average_the_natures_agree_with_the_observer(scored: pl.DataFrame) -> None:
    """The tower law: whatever the observer says, the mean of the hidden probabilities of those customers is it."""
    true, observable = scored["true"].to_numpy(), scored["observable"].to_numpy()
    assert expected_ece(true, observable) < 0.03
    assert observable.mean() == pytest.approx(true.mean(), abs=0.02)


def test_an_observer_who_learns_nothing_from_the_gaps_disagrees(
    few: SimulatedChunk, scored: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "_log_weights", lambda seen, natures: np.zeros((seen.height, natures.hazard.size)))
    blind = judged(few, observable_churn_probability(few.events, SETTINGS, SNAPSHOT))
    true = blind["true"].to_numpy()
    assert expected_ece(true, blind["observable"].to_numpy()) > 0.06
    assert expected_auc(true, blind["observable"].to_numpy()) < expected_auc(true, scored["observable"].to_numpy())


def test_the_observer_ranks_better_than_recency_and_worse_than_the_truth(
    few: SimulatedChunk, scored: pl.DataFrame
) -> None:
    true = scored["true"].to_numpy()
    bought = few.events.filter((pl.col("action") == "purchase") & (pl.col("occurred_at").dt.date() < SNAPSHOT))
    last = bought.group_by(user_id="customer").agg(last=pl.col("occurred_at").max())
    recency = scored.join(last, on="user_id")["last"].dt.epoch().to_numpy() * -1.0
    aucs = [expected_auc(true, score) for score in (recency, scored["observable"].to_numpy(), true)]
    assert aucs[0] + 0.02 < aucs[1] < aucs[2] - 0.01


def test_the_draws_stand_for_all_natures(
    few: SimulatedChunk, scored: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    ten = scored["user_id"].to_list()[::25][:10]
    events = few.events.filter(pl.col("customer").is_in(ten))
    monkeypatch.setattr(observer, "POSTERIOR_DRAWS", 4_000)
    monkeypatch.setattr(observer, "SLAB", 1)
    many = observable_churn_probability(events, SETTINGS, SNAPSHOT, seed=1)["probability"].to_numpy()
    usual = scored.filter(pl.col("user_id").is_in(ten))["observable"].to_numpy()
    assert np.abs(many - usual).max() < 0.04
    assert np.abs(many - usual).mean() < 0.015


def test_nothing_at_or_after_the_snapshot_matters(few: SimulatedChunk) -> None:
    events = few.events.filter(pl.col("customer") < "C00000060")
    known = events.filter(pl.col("occurred_at").dt.date() < SNAPSHOT)
    whole = observable_churn_probability(events, SETTINGS, SNAPSHOT)
    assert whole.equals(observable_churn_probability(known, SETTINGS, SNAPSHOT))
    assert whole.height > 30
    late = events.filter(pl.col("occurred_at").dt.date() >= SNAPSHOT + timedelta(days=1))
    assert observable_churn_probability(late, SETTINGS, SNAPSHOT).is_empty()


def test_figures_where_each_customer_churns_with_a_known_probability() -> None:
    true, score = np.array([0.9, 0.1]), np.array([0.8, 0.3])
    # churner above stayer: .9 * .9 of the pairs, against .1 * .1 the other way round, ties with oneself count half
    assert expected_auc(true, score) == pytest.approx((0.81 + (0.09 + 0.09) / 2) / (0.81 + 0.18 + 0.01))
    assert expected_ece(np.repeat(true, 10), np.repeat(score, 10)) == pytest.approx((0.1 + 0.2) / 2)


def test_the_benchmark_judges_by_what_customers_did(few: SimulatedChunk) -> None:
    outcome = observed_churn(few, SNAPSHOT).head(60)
    told = outcome.with_columns(fold=pl.lit(SNAPSHOT), probability=pl.col("churned").cast(pl.Float64) * 0.8 + 0.1)
    found = pl.concat(beside_the_law(told, 90, ShopSettings(customers=600)))
    assert sorted(found["user_id"]) == told["user_id"].to_list()
    assert found.columns == [*told.columns, "observable", "true"]
    model, best, natures = zip(*(column.cells for column in figures_table(found, "").columns), strict=True)
    assert model[:2] == ("churn model", "1.0000"), "who knew what they would do"
    assert model[2].startswith("+") and best[2] == "+0.0000 [+0.0000, +0.0000]"
    assert float(model[3].rstrip("%")) > 100 > float(best[3].rstrip("%"))
    assert natures[3] == "100.0%"
