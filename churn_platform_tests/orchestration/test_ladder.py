"""Which rung scores, and why no higher one does."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

import duckdb
import numpy as np
import polars as pl
import pytest

from churn_platform.core import churn_model
from churn_platform.core.bgnbd_scorer import BGNBD, BetaGeometricScorer
from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.evaluation import ALL, ELIGIBLE, RECENCY_RULE
from churn_platform.core.reason_words import REASON_WORDS
from churn_platform.core.reasons import Catalogue, Family, ReasonTemplate
from churn_platform.core.recency_rule import RecencyRule
from churn_platform.errors import InputError, NotEnoughData
from churn_platform.orchestration.ladder import choose_scorer
from churn_platform.orchestration.shop import Shop
from churn_platform.registry.candidate import train_candidate
from churn_platform.settings import Home
from churn_platform.sql.library import default_library
from churn_platform.warehouse.gate import create_table
from churn_platform_tests.core.bgnbd_shop import FEATURES, WINDOW_DAYS, rhythm_frame
from churn_platform_tests.orchestration.feature_families import create_feature_families
from churn_platform_tests.orchestration.landed_files import landed_history

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
FRAME = rhythm_frame(customers=250, snapshots=4).sort("snapshot_date", "user_id")
CATALOGUE = Catalogue(
    {name: ReasonTemplate(Family(name, name, actionable=False), f"{name} is {{value}}") for name in (*FEATURES, BGNBD)},
    REASON_WORDS["en"],
)
USERS = FRAME.filter(pl.col("snapshot_date") == FRAME["snapshot_date"].max())


@pytest.fixture
def connection(home: Home, shop: Shop) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with the labels of FRAME under the current definition."""
    landed_history(home, "h", [date(2023, 7, 5), date(2024, 6, 30)])  # labels FRAME's four snapshots
    with duckdb.connect() as opened:
        frame = FRAME.with_columns(is_eligible=True, definition_version=pl.lit(shop.definition.version))
        opened.register("frame", frame)
        opened.execute("CREATE TABLE user_features AS SELECT * EXCLUDE (churned, definition_version) FROM frame")
        create_feature_families(opened)
        opened.execute(
            "CREATE TABLE churn_labels AS SELECT snapshot_date, user_id, churned, definition_version FROM frame"
        )
        yield opened


def _too_little(*_: object, **__: object) -> BetaGeometricScorer:
    raise NotEnoughData("too few customers")


def make_champion(shop: Shop, definition_version: str) -> None:
    train_candidate(
        FRAME,
        FEATURES,
        window_days=WINDOW_DAYS,
        name="v1",
        definition_version=definition_version,
        store=shop.models,
    )
    shop.registry.record("v1", "candidate", actor="platform", at=NOON, reason="trained")
    shop.registry.promote("v1", actor="Ada", at=NOON, reason="looks right")


def test_the_champion_scores_and_explains(shop: Shop, connection: duckdb.DuckDBPyConnection) -> None:
    make_champion(shop, shop.definition.version)
    scorer = choose_scorer(shop, connection)
    assert (scorer.rung, scorer.version, scorer.why) == ("model", "v1", "")
    probability = scorer.predict(USERS)
    assert probability.shape == (USERS.height,)
    assert np.corrcoef(probability, USERS["recency_days"].to_numpy())[0, 1] > 0.5
    model = ChurnModel.load(shop.models.load("v1"))
    assert scorer.margin(USERS).tolist() == model.predict_margin(USERS).tolist()
    assert probability.tolist() == model.predict(USERS).tolist()
    reasons = scorer.explain(USERS, True)
    assert reasons.height == USERS.height
    assert reasons["reason_1_text"].null_count() == 0


@pytest.mark.parametrize("rung", ["model", "bgnbd", "rule"])
def test_every_rung_tells_its_reasons_in_the_shops_language_and_says_which_can_be_acted_on(
    rung: str, shop: Shop, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = shop.definition.version
    if rung == "model":
        make_champion(shop, version)
    if rung == "rule":
        monkeypatch.setattr(BetaGeometricScorer, "fit", _too_little)
    told = {}
    for language in ("en", "zh"):
        shop.home.definition_file.write_text(f'[reports]\nlanguage = "{language}"\n')
        scorer = choose_scorer(shop, connection)
        told[language] = scorer.explain(USERS, True)
        assert (scorer.rung, shop.definition.version) == (rung, version), "no word counts for a version"
    texts = pl.selectors.ends_with("_text")
    assert told["en"].drop(texts).equals(told["zh"].drop(texts)), "codes and contributions know no language"
    assert set(told["en"]["reason_1_actionable"]) <= {True, False}
    for language, direction in (("en", "associated with a higher churn risk"), ("zh", "与流失风险较高相关")):
        pushing = told[language].filter(pl.col("reason_1_contribution") > 0)["reason_1_text"]
        assert not pushing.is_empty() and pushing.str.ends_with(direction).all()
    assert not re.search("[A-Za-z]", "".join(told["zh"].select(texts).unpivot()["value"].drop_nulls()))


def test_before_a_promotion_bgnbd_scores_by_the_rhythm(shop: Shop, connection: duckdb.DuckDBPyConnection) -> None:
    scorer = choose_scorer(shop, connection)
    assert scorer.rung == "bgnbd"
    assert scorer.why == "no model has been promoted"
    fitted = BetaGeometricScorer.fit(
        FRAME, FRAME["churned"].to_numpy(), FRAME["snapshot_date"], window_days=WINDOW_DAYS
    )
    assert scorer.predict(USERS) == pytest.approx(fitted.predict(USERS))
    assert scorer.margin(USERS) == pytest.approx(fitted.predict_margin(USERS))
    assert set(scorer.explain(USERS, True)["reason_1_code"]) == {"rhythm"}


def test_a_champion_of_another_definition_does_not_score(shop: Shop, connection: duckdb.DuckDBPyConnection) -> None:
    make_champion(shop, "another")
    scorer = choose_scorer(shop, connection)
    assert scorer.rung == "bgnbd"
    assert scorer.why.startswith("champion v1 was trained for the product definition another,")
    assert shop.definition.version in scorer.why


def test_a_champion_of_an_earlier_version_does_not_score_and_the_reason_is_told(
    shop: Shop, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_champion(shop, shop.definition.version)
    monkeypatch.setattr(churn_model, "_FORMAT", 99)
    scorer = choose_scorer(shop, connection)
    assert scorer.rung == "bgnbd"
    assert "champion v1 is of an earlier version" in scorer.why and "Train again" in scorer.why


def test_after_the_last_rollback_the_next_rung_scores(shop: Shop, connection: duckdb.DuckDBPyConnection) -> None:
    make_champion(shop, shop.definition.version)
    assert choose_scorer(shop, connection).rung == "model"
    shop.registry.roll_back("v1", actor="Ada", at=NOON, reason="complaints")
    assert choose_scorer(shop, connection).rung == "bgnbd"


def evaluated(connection: duckdb.DuckDBPyConnection, version: str, bgnbd: float, rule: float) -> None:
    """Rows of model_evaluation at two folds with these mean AUCs, and a metric and a population that do not count."""
    create_table(connection, default_library().contract("model_evaluation"), "model_evaluation")
    rows = [
        (version, day, population, model, metric, auc + step)
        for model, auc in ((BGNBD, bgnbd), (RECENCY_RULE, rule))
        for day, step in (("2024-01-01", -0.1), ("2024-02-01", 0.1))
        for population, metric in ((ELIGIBLE, "auc"), (ELIGIBLE, "ks"), (ALL, "auc"))
    ]
    for row in rows:
        better = row[2:5] in ((ALL, RECENCY_RULE, "auc"), (ELIGIBLE, RECENCY_RULE, "ks"))
        connection.execute(
            "INSERT INTO model_evaluation (model_version, fold, population, model, metric, value) VALUES (?,?,?,?,?,?)",
            [*row[:5], 1.0 if better else row[5]],
        )


@pytest.mark.parametrize(("bgnbd", "rule", "rung"), [(0.7, 0.71, "rule"), (0.71, 0.7, "bgnbd"), (0.7, 0.7, "bgnbd")])
def test_of_the_lower_rungs_the_one_that_tested_better_scores(
    shop: Shop, connection: duckdb.DuckDBPyConnection, bgnbd: float, rule: float, rung: str
) -> None:
    make_champion(shop, shop.definition.version)
    shop.registry.roll_back("v1", actor="Ada", at=NOON, reason="worse than a rule")
    evaluated(connection, "v1", bgnbd, rule)
    scorer = choose_scorer(shop, connection)
    assert scorer.rung == rung
    told = "the recency rule tested better than BG/NBD (AUC 0.710 against 0.700)"
    assert (told in scorer.why) == (rung == "rule")


@pytest.mark.parametrize(("definition", "version"), [("another", "v1"), (None, "v0")])
def test_tests_of_another_definition_or_candidate_do_not_choose_the_rung(
    shop: Shop, connection: duckdb.DuckDBPyConnection, definition: str | None, version: str
) -> None:
    make_champion(shop, definition or shop.definition.version)
    shop.registry.roll_back("v1", actor="Ada", at=NOON, reason="complaints")
    evaluated(connection, version, bgnbd=0.6, rule=0.8)
    assert choose_scorer(shop, connection).rung == "bgnbd"


@pytest.mark.parametrize("content", [b"", b"{}", b'{"files": {}, "sha256": "of another"}'])
def test_a_candidate_with_a_damaged_manifest_does_not_stop_the_lower_rungs(
    shop: Shop, connection: duckdb.DuckDBPyConnection, content: bytes
) -> None:
    make_champion(shop, shop.definition.version)
    shop.registry.roll_back("v1", actor="Ada", at=NOON, reason="complaints")
    evaluated(connection, "v1", bgnbd=0.6, rule=0.8)
    (shop.home.models / "v1" / "manifest.json").write_bytes(content)
    assert choose_scorer(shop, connection).rung == "bgnbd"


def test_where_only_the_rule_was_tested_bgnbd_goes_first(shop: Shop, connection: duckdb.DuckDBPyConnection) -> None:
    make_champion(shop, shop.definition.version)
    shop.registry.roll_back("v1", actor="Ada", at=NOON, reason="complaints")
    evaluated(connection, "v1", bgnbd=0.6, rule=0.8)
    connection.execute(f"DELETE FROM model_evaluation WHERE model = '{BGNBD}'")
    assert choose_scorer(shop, connection).rung == "bgnbd"


@pytest.mark.parametrize("outcome", [0, 1])
def test_where_all_had_the_same_outcome_the_rule_scores_by_the_silence(
    shop: Shop, connection: duckdb.DuckDBPyConnection, outcome: int
) -> None:
    connection.execute("UPDATE churn_labels SET churned = $outcome", {"outcome": outcome})
    scorer = choose_scorer(shop, connection)
    assert scorer.rung == "rule"
    assert scorer.why == "no model has been promoted, and every customer so far had the same outcome"
    rule = RecencyRule.fit(FRAME["recency_days"].to_numpy(), np.full(FRAME.height, outcome))
    assert scorer.predict(USERS) == pytest.approx(rule.predict(USERS["recency_days"].to_numpy()))
    assert np.isfinite(scorer.margin(USERS)).all()
    assert set(scorer.explain(USERS, True)["reason_1_code"]) == {"recency"}


def test_a_lower_rung_is_named_by_what_it_learnt(shop: Shop, connection: duckdb.DuckDBPyConnection) -> None:
    first = choose_scorer(shop, connection).version
    assert first.startswith("bgnbd-")
    assert choose_scorer(shop, connection).version == first
    connection.execute("UPDATE churn_labels SET churned = 1 WHERE user_id < 'u00050'")
    assert choose_scorer(shop, connection).version != first
    connection.execute("UPDATE churn_labels SET churned = 1")
    assert choose_scorer(shop, connection).version.startswith("rule-")


def test_a_lower_rung_learns_from_eligible_users_and_labels_of_the_current_definition_only(
    shop: Shop, connection: duckdb.DuckDBPyConnection
) -> None:
    first = choose_scorer(shop, connection).version
    connection.execute(
        "INSERT INTO user_features BY NAME SELECT * REPLACE (false AS is_eligible, user_id || '-away' AS user_id)"
        " FROM user_features"
    )
    connection.execute(
        "INSERT INTO churn_labels SELECT snapshot_date, user_id || '-away', 1, definition_version FROM churn_labels"
    )
    connection.execute(
        "INSERT INTO churn_labels SELECT snapshot_date, user_id, 1 - churned, 'another' FROM churn_labels"
    )
    for table in ("user_features", "churn_labels"):
        connection.execute(
            f"INSERT INTO {table} BY NAME SELECT * REPLACE (snapshot_date + 1 AS snapshot_date) FROM {table}"
            " WHERE user_id NOT LIKE '%-away'"
        )
    assert choose_scorer(shop, connection).version == first, "snapshots outside the plan teach nothing"
    connection.execute("UPDATE user_features SET is_eligible = true")
    assert choose_scorer(shop, connection).version != first


def test_a_damaged_champion_is_an_error_and_not_silently_the_next_rung(
    shop: Shop, connection: duckdb.DuckDBPyConnection
) -> None:
    make_champion(shop, shop.definition.version)
    for name in shop.models.manifest("v1")["files"]:
        (shop.home.models / "v1" / name).write_bytes(b"")
    with pytest.raises(InputError, match="has changed since the model was saved"):
        choose_scorer(shop, connection)


def test_a_feature_that_is_missing_at_scoring_time_is_named_with_what_to_do(
    shop: Shop, connection: duckdb.DuckDBPyConnection
) -> None:
    make_champion(shop, shop.definition.version)
    scorer = choose_scorer(shop, connection)
    with pytest.raises(InputError, match=r"missing: recency_days\..* Rebuild the features, or train a new model"):
        scorer.predict(USERS.drop("recency_days"))


def test_without_a_champion_and_without_a_closed_label_nothing_can_be_scored(
    shop: Shop, connection: duckdb.DuckDBPyConnection
) -> None:
    connection.execute("DELETE FROM churn_labels")
    with pytest.raises(NotEnoughData) as refused:
        choose_scorer(shop, connection)
    told = str(refused.value)
    assert told.startswith("Nothing can be scored: no model has been promoted, and no label window has closed yet.")
    assert "lookback 180 + lead 0 + horizon 90 days of history are needed; 2023-07-05 to 2024-06-29 are there" in told
