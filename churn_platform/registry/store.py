"""Models on disk: `models/<version>/`, written whole or not at all, verified by hash when read."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from churn_platform.errors import InputError, UsageError, suggest
from churn_platform.lake.journal import sync_to_disk
from churn_platform.whole_file import written_whole

MANIFEST = "manifest.json"
METRICS = "metrics.json"
# The manifest's own hash, of what it says without it.
SEAL = "sha256"


class ModelStore:
    """The folder `models/` of a home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def versions(self) -> list[str]:
        """All complete models, by name."""
        return sorted(
            path.parent.name for path in self.folder.glob(f"*/{MANIFEST}") if not path.parent.name.startswith(".")
        )

    def exists(self, version: str) -> bool:
        return (self.folder / version / MANIFEST).is_file()

    def save(self, version: str, files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Path:
        """Write a model beside its place and rename it into it; the manifest gains the sha256 of every file and its
        own."""
        target, draft = self.folder / version, self.folder / f".{version}.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for name, content in files.items():
            _write_durably(draft / name, content)
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        told = {**manifest, "model_version": version, "files": hashes}
        _write_durably(draft / MANIFEST, _text({**told, SEAL: _seal(told)}).encode())
        sync_to_disk(draft)
        draft.rename(target)
        sync_to_disk(self.folder)
        return target

    def keep_metrics(self, version: str, metrics: Sequence[Mapping[str, Any]]) -> None:
        """Write beside a model how it did out of time, in place of what was there; dates as ISO text.

        A model is saved before it is tested, so that this file is none of those that the manifest seals.
        """
        with written_whole(self.folder / version / METRICS) as draft:
            told = json.dumps({"model_version": version, "metrics": metrics}, indent=2, default=str)
            _write_durably(draft, told.encode())

    def manifest(self, version: str) -> dict[str, Any]:
        """What `save` was told of the model, and its file hashes.

        Raises:
            UsageError: there is no such model.
            InputError: the manifest is damaged, or has changed since; one of an earlier version has no hash to tell by.
        """
        if not self.exists(version):
            raise UsageError(f"There is no model '{version}' in {self.folder}.{suggest(version, self.versions())}")
        path = self.folder / version / MANIFEST
        restore = f"Restore {path.parent} from a backup, or roll back to another model."
        try:
            content: dict[str, Any] = json.loads(path.read_bytes())
        except ValueError as error:
            raise InputError(f"{path} is damaged: {error}. {restore}") from error
        if not isinstance(content, dict) or "files" not in content:
            raise InputError(f"{path} is damaged: it does not list the model's files. {restore}")
        seal = content.pop(SEAL, None)
        if seal is not None and seal != _seal(content):
            raise InputError(f"{path} has changed since the model was saved. {restore}")
        return content

    def load(self, version: str) -> dict[str, bytes]:
        """The files of a model, as they were saved.

        Raises:
            UsageError: there is no such model.
            InputError: a file is missing or has changed since, or the manifest is damaged.
        """
        files = {}
        for name, expected in self.manifest(version)["files"].items():
            path = self.folder / version / name
            if not path.is_file():
                raise InputError(
                    f"{path} is missing. Restore {path.parent} from a backup, or roll back to another model."
                )
            files[name] = path.read_bytes()
            if hashlib.sha256(files[name]).hexdigest() != expected:
                raise InputError(
                    f"{path} has changed since the model was saved (its sha256 is not {expected[:12]}…). "
                    f"Restore {path.parent} from a backup, or roll back to another model."
                )
        return files


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, sort_keys=True)


def _seal(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text(content).encode()).hexdigest()


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
