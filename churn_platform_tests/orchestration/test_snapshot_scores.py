"""The scores of a snapshot, whatever the parts in which its customers are gone through."""

from collections.abc import Callable, Iterator
from datetime import date

import duckdb
import numpy as np
import polars as pl
import pytest

from churn_platform.core.bgnbd_scorer import BGNBD
from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.reason_words import REASON_WORDS
from churn_platform.core.reasons import Catalogue, Family, ReasonTemplate, top_reasons
from churn_platform.core.scoring import Bands, Stamp
from churn_platform.errors import NotEnoughData
from churn_platform.orchestration import snapshot_scores
from churn_platform.orchestration.ladder import MODEL, Scorer
from churn_platform.orchestration.shop import Shop
from churn_platform.orchestration.snapshot_scores import score_parts, score_snapshot
from churn_platform.settings import Home
from churn_platform.sql.library import default_library
from churn_platform.warehouse.gate import create_table
from churn_platform_tests.core.bgnbd_shop import FEATURES, WINDOW_DAYS, rhythm_frame
from churn_platform_tests.orchestration.feature_families import create_feature_families
from churn_platform_tests.orchestration.landed_files import landed_history

FRAME = rhythm_frame(customers=250, snapshots=4).sort("snapshot_date", "user_id")
USERS = FRAME.filter(pl.col("snapshot_date") == FRAME["snapshot_date"].max()).with_columns(expected_value=10.0)
CATALOGUE = Catalogue(
    {name: ReasonTemplate(Family(name, name, actionable=False), f"{name} is {{value}}") for name in (*FEATURES, BGNBD)},
    REASON_WORDS["en"],
)
TRAINED = ChurnModel.train(FRAME.select(FEATURES), FRAME["churned"], FRAME["snapshot_date"], window_days=WINDOW_DAYS)
BANDS = Bands(medium=0.3, high=0.6, critical=0.8)
STAMP = Stamp(date(2024, 5, 1), "model", "abc", "def", horizon_days=90, valid_days=7)
RISKIEST = 40


def scorer_of(rung: str = MODEL) -> Scorer:
    return Scorer(
        rung,
        "abc",
        TRAINED.predict_margin,
        lambda margin, users: TRAINED.probability(margin, users["snapshot_date"]),
        lambda users, exact: top_reasons(TRAINED.contributions(users, exact=exact), users, CATALOGUE),
    )


def in_parts_of(rows: int, users: pl.DataFrame = USERS) -> Callable[[], Iterator[pl.DataFrame]]:
    return lambda: users.iter_slices(rows)


def scored(users: pl.DataFrame = USERS, *, rows: int = 1000, rung: str = MODEL) -> pl.DataFrame:
    return score_parts(in_parts_of(rows, users), scorer_of(rung), BANDS, STAMP)


@pytest.fixture(scope="module", autouse=True)
def few_are_exact() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot_scores, "EXACT_REASONS", RISKIEST)
        yield


@pytest.mark.parametrize("rows", [1, 7, RISKIEST, 59, 60])
def test_the_parts_never_change_a_score_or_a_reason(rows: int) -> None:
    some = USERS.head(60)
    assert scored(some, rows=rows).equals(scored(some, rows=61))


def test_the_reasons_of_those_at_the_highest_risk_are_exact_and_stay_with_their_users() -> None:
    scores = scored(rows=60)
    assert scores["user_id"].to_list() == USERS["user_id"].to_list()
    riskiest = np.argsort(-scores["churn_probability"].to_numpy(), kind="stable")[:RISKIEST]
    assert np.flatnonzero(scores["reasons_exact"].to_numpy()).tolist() == sorted(riskiest.tolist())
    exact = top_reasons(TRAINED.contributions(USERS), USERS, CATALOGUE)
    told, others = scores.select(exact.columns), np.setdiff1d(np.arange(USERS.height), riskiest)
    assert told[riskiest].equals(exact[riskiest])
    assert not told[others].equals(exact[others])
    same = (told["reason_1_code"] == exact["reason_1_code"]).mean()
    assert isinstance(same, float) and same > 0.5


def test_a_lower_rung_has_exact_reasons_for_all() -> None:
    assert scored(rung="bgnbd")["reasons_exact"].all()


def test_the_order_of_users_and_of_columns_never_changes_a_reason() -> None:
    order = np.random.default_rng(7).permutation(USERS.height)
    shuffled = USERS[order].select(sorted(USERS.columns, reverse=True))
    assert scored(shuffled, rows=70).equals(scored()[order])
    assert scored()["reason_1_code"].n_unique() > 1, "else the order could not show"


@pytest.fixture
def connection(home: Home, shop: Shop) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with USERS as of the newest snapshot, every other of them eligible."""
    landed_history(home, "h", [date(2023, 7, 5), date(2024, 6, 30)])
    users = USERS.with_columns(snapshot_date=pl.lit(shop.plan.newest)).drop("churned", "expected_value")
    with duckdb.connect() as opened:
        opened.register("users", users.with_columns(is_eligible=pl.int_range(pl.len()) % 2 == 0))
        opened.execute("CREATE TABLE user_features AS SELECT * FROM users ORDER BY hash(user_id)")
        create_feature_families(opened)
        create_table(opened, default_library().contract("purchase_forecast"), "purchase_forecast")
        yield opened


def test_the_eligible_of_the_newest_snapshot_are_scored_in_order(
    shop: Shop, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_scores, "choose_scorer", lambda *_: scorer_of())
    monkeypatch.setattr(snapshot_scores, "CUSTOMERS_AT_ONCE", 30)
    scores = score_snapshot(shop, connection)
    assert scores["user_id"].to_list() == USERS["user_id"].to_list()[::2]
    assert set(scores["snapshot_date"]) == {shop.plan.newest}
    assert set(scores["expected_value"]) == {0.0}, "of whom no forecast is there"


def test_without_an_eligible_customer_it_is_said_what_to_do(shop: Shop, connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("UPDATE user_features SET is_eligible = false")
    with pytest.raises(NotEnoughData, match=r"No customer had an activity .* so there is nobody to score\. Load newer"):
        score_snapshot(shop, connection)
