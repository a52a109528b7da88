"""Models on disk: whole or not at all, and as they were saved."""

import hashlib
import json
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.errors import InputError, UsageError
from churn_platform.registry.store import MANIFEST, SEAL, ModelStore

FILES = {"model.ubj": b"\x00\x01trees", "calibration.json": b"{}"}
KILLED = """
import os, signal, sys
from pathlib import Path
from churn_platform.registry.store import ModelStore

os.rename = lambda draft, target: os.kill(os.getpid(), signal.SIGKILL)
ModelStore(Path(sys.argv[1])).save("v1", {"model.ubj": b"half"}, {"features": []})
"""


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def test_a_model_is_read_as_it_was_saved(store: ModelStore) -> None:
    assert not store.exists("v1")
    folder = store.save("v1", FILES, {"features": ["recency_days"]})
    assert store.exists("v1")
    assert store.load("v1") == FILES
    assert store.manifest("v1") == {
        "features": ["recency_days"],
        "model_version": "v1",
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()},
    }
    assert sorted(path.name for path in folder.iterdir()) == ["calibration.json", "manifest.json", "model.ubj"]


def test_how_it_was_tested_stands_beside_a_model_and_is_no_part_of_it(store: ModelStore) -> None:
    folder = store.save("v1", FILES, {})
    for auc in (0.7, 0.8):
        store.keep_metrics("v1", [{"fold": date(2025, 6, 1), "metric": "auc", "value": auc, "lower": None}])
    told = json.loads((folder / "metrics.json").read_text())
    assert told == {
        "model_version": "v1",
        "metrics": [{"fold": "2025-06-01", "metric": "auc", "value": 0.8, "lower": None}],
    }
    assert store.load("v1") == FILES


def test_models_are_listed_by_name(store: ModelStore) -> None:
    assert store.versions() == []
    for name in ("v2", "v1"):
        store.save(name, FILES, {})
    (store.folder / "notes").mkdir()
    assert store.versions() == ["v1", "v2"]


def test_a_kill_before_the_rename_leaves_nothing_visible_and_the_next_save_completes(store: ModelStore) -> None:
    command = [sys.executable, "-c", KILLED, str(store.folder)]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (store.folder / ".v1.draft" / "manifest.json").is_file()
    assert not store.exists("v1")
    assert store.versions() == []
    store.save("v1", FILES, {})
    assert store.load("v1") == FILES
    assert [path.name for path in store.folder.iterdir()] == ["v1"]


def test_a_leftover_file_of_a_killed_save_is_not_part_of_the_model(store: ModelStore) -> None:
    draft = store.folder / ".v1.draft"
    draft.mkdir(parents=True)
    (draft / "other.ubj").write_bytes(b"old")
    folder = store.save("v1", FILES, {})
    assert not (folder / "other.ubj").exists()


def test_a_changed_byte_is_refused(store: ModelStore) -> None:
    folder = store.save("v1", FILES, {})
    (folder / "model.ubj").write_bytes(b"\x00\x02trees")
    with pytest.raises(
        InputError, match=r"model\.ubj has changed since the model was saved .*Restore .*v1 from a backup"
    ):
        store.load("v1")


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_changed_byte_of_the_manifest_is_refused_or_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    store = ModelStore(tmp_path_factory.mktemp("models"))
    path = (
        store.save("v1", FILES, {"features": ["recency_days"], "training": {"rows": 40, "churn_rate": 0.25}}) / MANIFEST
    )
    said, content = store.manifest("v1"), bytearray(path.read_bytes())
    content[place % len(content)] = byte
    path.write_bytes(content)
    with suppress(InputError):
        assert store.manifest("v1") == said or SEAL not in json.loads(content)


@pytest.mark.parametrize("content", ["{}", "[]", "7"])
def test_a_manifest_that_lists_no_files_is_refused(store: ModelStore, content: str) -> None:
    (store.save("v1", FILES, {}) / MANIFEST).write_text(content)
    with pytest.raises(InputError, match=r"manifest\.json is damaged: it does not list the model's files\. Restore"):
        store.load("v1")


def test_a_manifest_that_was_edited_is_refused(store: ModelStore) -> None:
    path = store.save("v1", FILES, {"definition_version": "d1"}) / MANIFEST
    path.write_text(path.read_text().replace("d1", "d2"))
    with pytest.raises(InputError, match=r"manifest\.json has changed since the model was saved\. Restore .*v1 from"):
        store.load("v1")


def test_a_manifest_of_an_earlier_version_is_read_without_its_own_hash(store: ModelStore) -> None:
    path = store.save("v1", FILES, {}) / MANIFEST
    path.write_text(json.dumps({name: part for name, part in json.loads(path.read_text()).items() if name != SEAL}))
    assert store.load("v1") == FILES


def test_a_missing_file_is_refused(store: ModelStore) -> None:
    folder = store.save("v1", FILES, {})
    (folder / "model.ubj").unlink()
    with pytest.raises(InputError, match=r"model\.ubj is missing\. Restore .*v1 from a backup, or roll back"):
        store.load("v1")


def test_a_model_that_does_not_exist_is_refused_with_what_does(store: ModelStore) -> None:
    store.save("version-1", FILES, {})
    for read in (store.load, store.manifest):
        with pytest.raises(UsageError, match=r"There is no model 'version-2' in .*models\. Did you mean 'version-1'\?"):
            read("version-2")


def test_the_manifest_is_text_that_people_can_read(store: ModelStore) -> None:
    folder = store.save("v1", FILES, {"b": 1, "a": 2})
    text = (folder / "manifest.json").read_text(encoding="utf-8")
    assert list(json.loads(text)) == ["a", "b", "files", "model_version", "sha256"]
    assert text.count("\n") > 4
