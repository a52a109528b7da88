import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import auc as area
from sklearn.metrics import roc_curve

from churn_platform.core.curves import distribution, gain, lift_by_decile, reliability, roc, separation, wilson_interval
from churn_platform.core.metrics import ks, top_decile_lift

Y = np.array([1, 0, 1, 0, 0, 1, 0, 0, 0, 0])
P = np.array([0.9, 0.8, 0.7, 0.7, 0.4, 0.4, 0.3, 0.2, 0.1, 0.05])


def many(users: int = 3_000) -> tuple[np.ndarray, np.ndarray]:
    """Users whose probabilities are right."""
    rng = np.random.default_rng(1)
    p = rng.beta(2, 3, users)
    return (rng.random(users) < p).astype(float), p


def test_roc_has_a_point_per_distinct_probability() -> None:
    expected_x, expected_y, _ = roc_curve(Y, P, drop_intermediate=False)
    found = roc(Y, P)
    assert found["false_positive_rate"].to_list() == pytest.approx(expected_x.tolist())
    assert found["true_positive_rate"].to_list() == pytest.approx(expected_y.tolist())


def test_a_long_curve_is_thinned_without_moving() -> None:
    y, p = many()
    found, exact = roc(y, p), roc_curve(y, p)
    assert found.height <= 200
    thinned = area(found["false_positive_rate"].to_numpy(), found["true_positive_rate"].to_numpy())
    assert thinned == pytest.approx(area(exact[0], exact[1]), abs=2e-3)


def test_gain_counts_who_is_reached_by_contacting_the_riskiest() -> None:
    found = gain(Y, P)
    assert found["contacted"].to_list() == pytest.approx([0, 0.1, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1])
    assert found["reached"].to_list() == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 1, 1, 1, 1, 1])


def test_the_largest_distance_of_the_separation_is_ks() -> None:
    found = separation(Y, P)
    assert (found["churners"] - found["stayers"]).to_numpy().max() == pytest.approx(ks(Y, P))


def test_lift_by_decile_begins_with_the_riskiest() -> None:
    y, p = many()
    found = lift_by_decile(y, p)
    assert found["decile"].to_list() == list(range(1, 11))
    assert found["lift"][0] == pytest.approx(top_decile_lift(y, p))
    assert found["churn_rate"].to_numpy().mean() == pytest.approx(y.mean())
    assert lift_by_decile(Y[:4], P[:4]).height == 4


def test_right_probabilities_lie_within_the_intervals_of_the_reliability() -> None:
    y, p = many()
    found = reliability(y, p)
    assert found.height == 10 and found["users"].sum() == 3_000
    inside = (found["lower"] <= found["predicted"]) & (found["predicted"] <= found["upper"])
    assert inside.sum() >= 9
    shifted = reliability(y, np.clip(p + 0.2, 0, 1))
    assert ((shifted["lower"] <= shifted["predicted"]) & (shifted["predicted"] <= shifted["upper"])).sum() <= 2


def test_wilsons_interval_by_hand() -> None:
    """8 of 10: (.8 + 1.9208/10 ± 1.96 sqrt(.016 + .9604/100)) / (1 + 3.8416/10)."""
    row = reliability([1] * 8 + [0] * 2, [0.5] * 10).row(0, named=True)
    assert (row["observed"], row["lower"], row["upper"]) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)


@given(st.integers(1, 10**6), st.data())
def test_wilsons_interval_holds_the_rate(users: int, data: st.DataObject) -> None:
    rate = data.draw(st.integers(0, users)) / users
    lower, upper = wilson_interval(rate, users)
    assert 0 <= lower <= rate <= upper <= 1


@given(st.lists(st.floats(0, 1), min_size=1))
def test_the_distribution_holds_everybody(probabilities: list[float]) -> None:
    found = distribution(probabilities)
    assert found["share"].sum() == pytest.approx(1.0)
    assert found.height == 20


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=2).filter(lambda r: len({y for y, _ in r}) > 1)
)
def test_curves_begin_at_nothing_end_at_everything_and_never_fall(users: list[tuple[int, int]]) -> None:
    y, p = np.array([outcome for outcome, _ in users]), np.array([score / 5 for _, score in users])
    for curve in (roc(y, p), gain(y, p), separation(y, p).drop("probability")):
        for column in curve.iter_columns():
            assert (column[0], column[-1]) == (0.0, pytest.approx(1.0))
            assert (column.diff().drop_nulls() >= 0).all()
