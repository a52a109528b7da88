"""Which part of the customers models learn from and are tested on, where there are too many."""

from dataclasses import dataclass

import duckdb

from churn_platform.contracts.quoting import literal
from churn_platform.orchestration.shop import Shop


@dataclass(frozen=True)
class TrainingSample:
    """The customers of the table training_set: all, or those whose hashed ids come first.

    Attributes:
        available: examples at the snapshots that a model learns from, those of customers left out included.
        last_hash: the greatest MD5 of the id of a customer who takes part; None where all do.
    """

    available: int
    last_hash: str | None

    @property
    def condition(self) -> str:
        """SQL on a row with user_id: whether its customer takes part."""
        return "true" if self.last_hash is None else f"MD5(user_id) <= {literal(self.last_hash)}"


def training_sample(shop: Shop, connection: duckdb.DuckDBPyConnection) -> TrainingSample:
    """What training_set holds of all examples; it and the tables that it is made of must be there."""
    examples, learnable = connection.execute(
        "SELECT count(*), count(*) FILTER (WHERE list_contains($labelled, churn_labels.snapshot_date))"
        " FROM churn_labels SEMI JOIN user_features"
        " ON user_features.snapshot_date = churn_labels.snapshot_date"
        " AND user_features.user_id = churn_labels.user_id AND user_features.is_eligible"
        " WHERE list_contains($examined, churn_labels.snapshot_date)",
        {"labelled": list(shop.plan.labelled), "examined": list(shop.plan.examined)},
    ).fetchall()[0]
    rows, last_hash = connection.execute("SELECT count(*), max(MD5(user_id)) FROM training_set").fetchall()[0]
    return TrainingSample(available=learnable, last_hash=last_hash if rows < examples else None)
