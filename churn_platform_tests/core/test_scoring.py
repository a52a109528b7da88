"""The layout of a snapshot's scores."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.core.reason_words import REASON_WORDS
from churn_platform.core.reasons import Catalogue, Family, ReasonTemplate
from churn_platform.core.recency_rule import RecencyRule
from churn_platform.core.scoring import Bands, Stamp, band_of, rule_margin, rule_reasons, score

BANDS = Bands(medium=0.3, high=0.6, critical=0.8)
STAMP = Stamp(date(2024, 5, 1), "model", "abc", "def", horizon_days=90, valid_days=7)
ORDER = ["low", "medium", "high", "critical"]
CATALOGUE = Catalogue(
    {"recency_days": ReasonTemplate(Family("recency", "recency", actionable=False), "last active {value} days ago")},
    REASON_WORDS["en"],
)
RULE = RecencyRule(days=(0.0, 100.0), rates=(0.1, 0.9))
USUAL = 0.5

probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def scored(probability: list[float], expected_value: float = 10.0) -> pl.DataFrame:
    users = pl.DataFrame(
        {
            "user_id": [f"u{number}" for number in range(len(probability))],
            "expected_value": [expected_value] * len(probability),
            "orders_total": [1] * len(probability),
        }
    )
    reasons = rule_reasons(RULE, np.full(len(probability), 50.0), USUAL, CATALOGUE)
    margin = np.linspace(-3, 3, len(probability))
    return score(users, margin, np.array(probability), reasons, BANDS, STAMP)


def test_a_probability_on_an_edge_belongs_to_the_band_above() -> None:
    frame = scored([0.0, 0.2999, 0.3, 0.5999, 0.6, 0.7999, 0.8, 1.0])
    assert frame["risk_band"].to_list() == [band for band in ORDER for _ in range(2)]


@given(probability=probabilities)
def test_the_band_never_falls_as_the_probability_rises(probability: list[float]) -> None:
    bands = [ORDER.index(band) for band in scored(sorted(probability))["risk_band"]]
    assert bands == sorted(bands)


@given(probability=probabilities)
def test_the_percentile_is_the_share_whose_risk_is_not_above(probability: list[float]) -> None:
    share = [100 * sum(other <= own for other in probability) / len(probability) for own in probability]
    assert scored(probability)["risk_percentile"].to_list() == pytest.approx(share)


@given(probability=probabilities, expected=st.floats(0, 1e6))
def test_value_at_risk_is_the_probability_times_the_expected_value(probability: list[float], expected: float) -> None:
    frame = scored(probability, expected)
    assert frame["value_at_risk"].to_list() == pytest.approx([own * expected for own in probability])
    assert frame["churn_probability"].to_list() == probability


def test_every_score_carries_the_stamp() -> None:
    row = scored([0.5]).row(0, named=True)
    assert row["snapshot_date"] == date(2024, 5, 1)
    assert row["expires_on"] == date(2024, 5, 8)
    assert (row["scored_by"], row["model_version"], row["definition_version"]) == ("model", "abc", "def")
    assert row["horizon_days"] == 90
    assert "orders_total" not in row


def test_score_probability_and_percentile_are_three_columns() -> None:
    frame = scored([0.1, 0.4, 0.9])
    assert frame["churn_score"].to_list() == [-3, 0, 3]
    assert frame["churn_probability"].to_list() == [0.1, 0.4, 0.9]
    assert frame["risk_percentile"].to_list() == pytest.approx([100 / 3, 200 / 3, 100])


def test_reasons_of_other_users_than_were_scored_are_refused() -> None:
    users = pl.DataFrame({"user_id": ["u1"], "expected_value": [1.0]})
    two = rule_reasons(RULE, np.array([1.0, 2.0]), USUAL, CATALOGUE)
    with pytest.raises(pl.exceptions.ShapeError):
        score(users, np.array([0.0]), np.array([0.5]), two, BANDS, STAMP)


@given(recency=st.lists(st.floats(0, 365), min_size=1, max_size=20))
def test_the_rule_says_which_way_the_silence_counts(recency: list[float]) -> None:
    frame = rule_reasons(RULE, np.array(recency), USUAL, CATALOGUE)
    beyond = rule_margin(RULE, np.array(recency)) - USUAL
    assert frame["reason_1_contribution"].to_list() == pytest.approx(beyond.tolist())
    for days, row in zip(recency, frame.iter_rows(named=True), strict=True):
        assert row["reason_1_code"] == "recency"
        assert row["reason_1_text"].startswith(f"last active {days:.0f} days ago: ")
        assert row["reason_1_text"].endswith("higher churn risk") == (row["reason_1_contribution"] > 0)
        assert row["reason_1_actionable"] is False
        others = [row[name] for name in row if name.startswith(("reason_2", "reason_3", "top_actionable"))]
        assert others == [None] * 11


def test_the_longer_silence_weighs_more() -> None:
    frame = rule_reasons(RULE, np.array([0.0, 100.0]), 0.0, CATALOGUE)
    assert frame["reason_1_contribution"].to_list() == pytest.approx([-np.log(9), np.log(9)])


def test_a_certain_rule_still_gives_finite_reasons() -> None:
    certain = RecencyRule(days=(0.0, 100.0), rates=(0.0, 1.0))
    told = rule_reasons(certain, np.array([0.0, 100.0]), USUAL, CATALOGUE)
    assert told["reason_1_contribution"].is_finite().all()


def test_nobody_to_score_gives_reasons_of_the_same_types() -> None:
    empty, one = (rule_reasons(RULE, np.array(days), USUAL, CATALOGUE) for days in ([], [1.0]))
    assert empty.is_empty()
    assert empty.schema == one.schema


def test_a_band_begins_at_its_edge_and_nothing_has_no_band() -> None:
    risk = pl.Series("risk", [0.0, 0.3, 0.6, 0.8, 1.0, None])
    found = pl.select(band_of(pl.lit(risk), Bands(medium=0.3, high=0.6, critical=0.8)))
    assert found.to_series().to_list() == ["low", "medium", "high", "critical", "critical", None]
