"""A library of three tables, for tests of how models are loaded and what is derived from their text."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from churn_platform.errors import DefinitionError
from churn_platform.sql.library import Library, load_library

EVENTS = {"event_id": "VARCHAR", "user_id": "VARCHAR", "amount": "DOUBLE", "known_date": "DATE"}
SPEND = {"user_id": "VARCHAR", "spend": "DOUBLE"}
SPEND_SQL = "SELECT user_id, SUM(amount) AS spend FROM events GROUP BY user_id"
TOP_SQL = "SELECT user_id, spend FROM spend WHERE spend > 100"


class Shop:
    """A folder of models: `events`, built by Python, then `spend`, then `top`, both full tables built by SQL."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.contract("staging/events", EVENTS, grain=["event_id"])
        self.contract("warehouse/spend", SPEND).sql("warehouse/spend", SPEND_SQL)
        self.contract("marts/top", SPEND).sql("marts/top", TOP_SQL)

    def contract(
        self,
        table: str,
        columns: Mapping[str, str],
        *,
        grain: Sequence[str] = ("user_id",),
        materialisation: str = "full",
        references: Mapping[str, str] | None = None,
    ) -> "Shop":
        keys = {name: {"references": reference} for name, reference in (references or {}).items()}
        parts = [{"name": name, "type": kind, "meaning": name} | keys.get(name, {}) for name, kind in columns.items()]
        body = {
            "description": f"The table {table}.",
            "owner": "team:data",
            "grain": list(grain),
            "materialisation": materialisation,
            "columns": parts,
        }
        self.write(f"{table}.yml", yaml.safe_dump(body, sort_keys=False))
        return self

    def sql(self, table: str, text: str) -> "Shop":
        self.write(f"{table}.sql", text)
        return self

    def remove(self, file: str) -> "Shop":
        (self.folder / file).unlink()
        return self

    def load(self) -> Library:
        return load_library(self.folder)

    def assert_refused(self, *parts: str) -> None:
        """Loading fails, and the message names all the parts."""
        with pytest.raises(DefinitionError) as caught:
            self.load()
        missing = [part for part in parts if part not in str(caught.value)]
        assert not missing, f"{missing} not in: {caught.value}"

    def write(self, file: str, text: str) -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
