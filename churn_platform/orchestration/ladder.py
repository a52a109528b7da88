"""What scores today: the champion, else BG/NBD, else the recency rule, which goes first where it tested better."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from churn_platform.contracts.targets import EVALUATION
from churn_platform.core.bgnbd_scorer import BGNBD, BetaGeometricScorer
from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.evaluation import ELIGIBLE, RECENCY_RULE
from churn_platform.core.matched_loss import sigmoid
from churn_platform.core.reasons import Catalogue, single_reasons, top_reasons
from churn_platform.core.recency_rule import RecencyRule
from churn_platform.core.scoring import rule_margin, rule_reasons
from churn_platform.errors import InputError, NotEnoughData, OutdatedModel, UsageError
from churn_platform.orchestration.feature_tables import all_features
from churn_platform.orchestration.reason_catalogue import reason_catalogue
from churn_platform.orchestration.shop import Shop
from churn_platform.warehouse.connection import table_exists
from churn_platform.warehouse.frames import read_frame

Floats = NDArray[np.float64]

MODEL = "model"


@dataclass(frozen=True)
class Scorer:
    """One rung of the ladder.

    Attributes:
        rung: 'model', 'bgnbd' or 'rule'.
        version: of the model, or a hash of the parameters of a lower rung.
        margin: features of users → their score, by which they are ranked: log-odds before anything moves all alike.
        probability: scores, and the features of their users → churn probability per user.
        explain: features of users, and whether the model's contributions to their scores are to be exact or
            approximate (a lower rung's are always exact) → their reasons, in the columns of `top_reasons` and the
            shop's language.
        why: why no higher rung scores; empty for the model.
    """

    rung: str
    version: str
    margin: Callable[[pl.DataFrame], Floats]
    probability: Callable[[Floats, pl.DataFrame], Floats]
    explain: Callable[[pl.DataFrame, bool], pl.DataFrame]
    why: str = ""

    def predict(self, users: pl.DataFrame) -> Floats:
        """Churn probability per user, shape (users,)."""
        return self.probability(self.margin(users), users)


def choose_scorer(shop: Shop, connection: duckdb.DuckDBPyConnection) -> Scorer:
    """The highest rung that may score under the current product definition.

    Raises:
        InputError: the champion's files are damaged.
        NotEnoughData: there is no champion, and no closed label to fit a lower rung on.
    """
    champion = shop.registry.champion()
    if champion is None:
        return _without_model(shop, connection, "no model has been promoted")
    learnt = shop.models.manifest(champion)["definition_version"]
    if learnt != shop.definition.version:
        why = f"champion {champion} was trained for the product definition {learnt}, not {shop.definition.version}"
        return _without_model(shop, connection, why)
    try:
        model = ChurnModel.load(shop.models.load(champion))
    except OutdatedModel as error:
        return _without_model(shop, connection, f"champion {champion} is of an earlier version: {error}")
    catalogue = reason_catalogue(shop.definition.reports.language)
    return Scorer(
        MODEL,
        champion,
        model.predict_margin,
        lambda margin, users: model.probability(margin, users["snapshot_date"]),
        lambda users, exact: top_reasons(model.contributions(users, exact=exact), users, catalogue),
    )


def _without_model(shop: Shop, connection: duckdb.DuckDBPyConnection, why: str) -> Scorer:
    labelled = read_frame(
        connection,
        f"SELECT features.*, churned FROM churn_labels JOIN (FROM {all_features()}) AS features"
        " USING (snapshot_date, user_id)"
        " WHERE is_eligible AND definition_version = $version AND list_contains($snapshots, snapshot_date)"
        " ORDER BY snapshot_date, user_id",
        {"version": shop.definition.version, "snapshots": list(shop.plan.labelled)},
    )
    if labelled.is_empty():
        churn = shop.definition.churn
        raise NotEnoughData(
            f"Nothing can be scored: {why}, and no label window has closed yet. "
            f"At least lookback {churn.lookback_days} + lead {churn.lead_days} + horizon {churn.horizon_days} "
            f"days of history are needed; {shop.history.first_day} to {shop.history.watermark} are there. "
            "Load more history, or shorten these in churn.toml."
        )
    catalogue = reason_catalogue(shop.definition.reports.language)
    if labelled["churned"].n_unique() == 1:
        return _recency_rule(labelled, catalogue, f"{why}, and every customer so far had the same outcome")
    if better := _rule_tested_better(shop, connection):
        return _recency_rule(labelled, catalogue, f"{why}, and {better}")
    try:
        return _bgnbd(labelled, shop.windows.lead + shop.windows.horizon, catalogue, why)
    except NotEnoughData as error:
        return _recency_rule(labelled, catalogue, f"{why}, and BG/NBD cannot be fitted ({error})")


def _rule_tested_better(shop: Shop, connection: duckdb.DuckDBPyConnection) -> str:
    """That the recency rule tells churners apart better than the BG/NBD, by the newest candidate's tests; else empty.

    Tests under another product definition, with other labels, do not count, nor those of a candidate whose manifest is
    damaged: which one it was is then unknown.
    """
    newest = shop.registry.candidate()
    if newest is None or not table_exists(connection, EVALUATION):
        return ""
    try:
        learnt = shop.models.manifest(newest)["definition_version"]
    except (InputError, UsageError):
        return ""
    if learnt != shop.definition.version:
        return ""
    tested = connection.execute(
        f"SELECT model, avg(value) FROM {EVALUATION} WHERE model_version = $newest AND population = $population"
        " AND metric = 'auc' GROUP BY model",
        {"newest": newest, "population": ELIGIBLE},
    ).fetchall()
    auc = dict(tested)
    if not {BGNBD, RECENCY_RULE} <= auc.keys() or auc[RECENCY_RULE] <= auc[BGNBD]:
        return ""
    return f"the recency rule tested better than BG/NBD (AUC {auc[RECENCY_RULE]:.3f} against {auc[BGNBD]:.3f})"


def _bgnbd(labelled: pl.DataFrame, window_days: int, catalogue: Catalogue, why: str) -> Scorer:
    scorer = BetaGeometricScorer.fit(
        labelled, labelled["churned"].to_numpy(), labelled["snapshot_date"], window_days=window_days
    )
    version = _hashed("bgnbd", scorer.to_dict())

    def explain(users: pl.DataFrame, _exact: bool) -> pl.DataFrame:
        return single_reasons(BGNBD, scorer.contributions(users).values.sum(axis=1), users, catalogue)

    return Scorer("bgnbd", version, scorer.predict_margin, lambda margin, _: sigmoid(margin), explain, why)


def _recency_rule(labelled: pl.DataFrame, catalogue: Catalogue, why: str) -> Scorer:
    rule = RecencyRule.fit(labelled["recency_days"].to_numpy(), labelled["churned"].to_numpy())

    def recency(users: pl.DataFrame) -> Floats:
        return users["recency_days"].to_numpy().astype(np.float64)

    usual = float(rule_margin(rule, recency(labelled)).mean())
    return Scorer(
        "rule",
        _hashed("rule", rule.to_dict()),
        lambda users: rule_margin(rule, recency(users)),
        lambda _, users: rule.predict(recency(users)),
        lambda users, _: rule_reasons(rule, recency(users), usual, catalogue),
        why,
    )


def _hashed(rung: str, parameters: dict[str, Any]) -> str:
    return f"{rung}-{hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:12]}"
