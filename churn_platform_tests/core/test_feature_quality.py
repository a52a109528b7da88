import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from churn_platform.core.feature_quality import correlation_groups, cross_fitted_auc, feature_quality
from churn_platform.errors import InputError, NotEnoughData

ROWS = 4_000


def frame(seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    """Labelled rows: one feature of each kind, and the outcomes."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=ROWS)
    churned = rng.random(ROWS) < 1 / (1 + np.exp(-risk))
    days_until_next = np.where(churned, np.nan, rng.integers(1, 90, ROWS))
    columns = {
        "risk": risk,
        "doubled_risk": 2 * risk + 1,
        "noise": rng.normal(size=ROWS),
        "middle": np.where(churned, rng.normal(0, 0.3, ROWS), rng.choice([-2.0, 2.0], ROWS)),
        "days_until_next_purchase": days_until_next,
        "constant": np.ones(ROWS),
    }
    return pl.DataFrame(columns).with_columns(pl.all().fill_nan(None)), churned.astype(float)


def measured(scored: pl.DataFrame | None = None) -> dict[str, dict[str, object]]:
    features, churned = frame()
    found = feature_quality(features, churned, features if scored is None else scored, features.columns)
    assert found["feature"].to_list() == features.columns
    return {row["feature"]: row for row in found.iter_rows(named=True)}


def test_a_feature_that_is_known_only_afterwards_stands_out_though_it_tells_by_being_null() -> None:
    leak = measured()["days_until_next_purchase"]
    assert leak["auc"] == pytest.approx(1.0)
    assert float(str(leak["information_value"])) > 5
    assert leak["coverage"] == pytest.approx(1 - frame()[1].mean())


def test_an_honest_feature_tells_what_its_rank_tells() -> None:
    features, churned = frame()
    found = measured()
    assert found["risk"]["auc"] == pytest.approx(roc_auc_score(churned, features["risk"]), abs=0.01)
    assert found["noise"]["auc"] == pytest.approx(0.5, abs=0.03)
    assert (found["constant"]["auc"], found["constant"]["information_value"]) == (0.5, 0.0)
    assert float(str(found["noise"]["information_value"])) < 0.02 < float(str(found["risk"]["information_value"]))


def test_a_feature_that_tells_by_lying_in_the_middle_is_not_missed() -> None:
    assert float(str(measured()["middle"]["auc"])) > 0.95


def test_features_that_tell_the_same_form_a_group_named_after_the_most_informative() -> None:
    found = measured()
    assert found["risk"]["correlation_group"] == found["doubled_risk"]["correlation_group"] == "risk"
    assert found["noise"]["correlation_group"] is None and found["constant"]["correlation_group"] is None


def test_a_group_grows_in_chains_and_takes_the_greatest_weight_as_its_name() -> None:
    rng = np.random.default_rng(1)
    base = rng.integers(0, 100, ROWS)
    near = base + rng.integers(-9, 10, ROWS)
    far = near + rng.integers(-9, 10, ROWS)
    bins = np.column_stack([base, near, far, rng.integers(0, 100, ROWS)]).astype(np.int8)
    assert abs(np.corrcoef(base, far)[0, 1]) < np.corrcoef(base, near)[0, 1]
    assert correlation_groups(bins, ["a", "b", "c", "d"], [0.1, 0.2, 0.9, 1.0]) == ["c", "c", "c", None]


def test_drift_is_from_the_labelled_rows_to_the_scored_ones() -> None:
    features, _ = frame()
    moved = features.with_columns(pl.col("noise") + 1)
    assert all(row["psi"] == pytest.approx(0.0) for row in measured().values())
    found = measured(scored=moved)
    assert float(str(found["noise"]["psi"])) > 0.25 > float(str(found["risk"]["psi"]))


halves = st.lists(st.tuples(*[st.integers(0, 30)] * 4), min_size=1, max_size=8)


@given(halves)
def test_the_auc_of_bins_is_that_of_the_churn_rates_of_the_other_half(bins: list[tuple[int, int, int, int]]) -> None:
    counts = 1 + np.array(bins, dtype=float).T.reshape(2, 2, -1)
    aucs = []
    for judged, other in (counts, counts[::-1]):
        mean = other[1].sum() / other.sum()
        rate = np.round((other[1] + mean / 2) / (other.sum(axis=0) + 0.5), 12)
        outcome = [0] * len(rate) + [1] * len(rate)
        aucs.append(roc_auc_score(outcome, [*rate, *rate], sample_weight=[*judged[0], *judged[1]]))
    assert cross_fitted_auc(counts) == pytest.approx(np.mean(aucs), abs=1e-9)


def test_one_outcome_and_a_missing_feature_are_refused() -> None:
    features, churned = frame()
    with pytest.raises(NotEnoughData, match="both churners and stayers"):
        feature_quality(features, np.zeros(ROWS), features, features.columns)
    with pytest.raises(NotEnoughData, match="no eligible customer"):
        feature_quality(features, churned, features.head(0), features.columns)
    with pytest.raises(InputError, match="noise"):
        feature_quality(features, churned, features.drop("noise"), features.columns)
