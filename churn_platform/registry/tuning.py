"""Tunings on disk: `models/tuning/<key>/`, the study that can be taken up again, and what it has found."""

import inspect
import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from pydantic import TypeAdapter, ValidationError

from churn_platform.core import tuning
from churn_platform.core.tuning import Tuning
from churn_platform.errors import InputError
from churn_platform.lake.journal import sync_to_disk
from churn_platform.registry.candidate import RECIPE, digest_of_rows
from churn_platform.whole_file import written_whole

STUDY, BEST = "study.db", "best.json"


def tuning_key(rows: pl.DataFrame, features: Sequence[str], definition_version: str) -> str:
    """Hash of what decides a search: its rows (`searchable_rows`), features, definition and recipe."""
    digest = digest_of_rows(rows)
    sources = [inspect.getsource(module) for module in (*RECIPE, tuning)]
    digest.update(json.dumps([list(features), definition_version, sources]).encode())
    return digest.hexdigest()[:12]


class TuningStore:
    """The folder `models/tuning/` of a home."""

    def __init__(self, models: Path) -> None:
        self.folder = models / "tuning"

    def study_file(self, key: str) -> Path:
        """Where the trials of a search are kept; its folder exists."""
        folder = self.folder / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder / STUDY

    def lock_file(self, key: str) -> Path:
        """The lock of a search: a second one waits for nobody, and the daily refresh for neither."""
        return self.folder / key / ".search.lock"

    def save(self, key: str, found: Tuning) -> Path:
        """Write what was found, whole or not at all; return its path."""
        target = self.study_file(key).with_name(BEST)
        with written_whole(target) as draft:
            draft.write_bytes(TypeAdapter(Tuning).dump_json(found, indent=1))
            sync_to_disk(draft)
        sync_to_disk(target.parent)
        return target

    def read(self, key: str) -> Tuning | None:
        """What was found under a key; None before the end of a search.

        Raises:
            InputError: the file is damaged.
        """
        file = self.folder / key / BEST
        if not file.exists():
            return None
        try:
            return TypeAdapter(Tuning).validate_json(file.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise InputError(
                f"{file} is damaged ({where}: {first['msg']}). Remove it and run churn tune again."
            ) from error

    def keys(self) -> list[str]:
        """Under which a search has ended."""
        return sorted(file.parent.name for file in self.folder.glob(f"*/{BEST}"))
