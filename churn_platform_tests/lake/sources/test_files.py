"""One file, a folder, a pattern: in name order, each once."""

from pathlib import Path

import pytest

from churn_platform.errors import InputError
from churn_platform.lake.sources.files import matching


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    folder = tmp_path / "exports [2024]"
    for name in ("b.csv.gz", "a.csv.gz", "notes.jsonl", ".hidden.csv.gz", "c.csv.gz.part", "deep/d.csv.gz"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["notes.jsonl"], ["notes.jsonl"]),
        (["b.csv.gz", "a.csv.gz", "b.csv.gz"], ["b.csv.gz", "a.csv.gz"]),
        (["."], ["a.csv.gz", "b.csv.gz", "notes.jsonl"]),
        (["*.csv.gz"], ["a.csv.gz", "b.csv.gz"]),
        (["**/*.csv.gz"], ["a.csv.gz", "b.csv.gz", "d.csv.gz"]),
        (["b*", "."], ["b.csv.gz", "a.csv.gz", "notes.jsonl"]),
        ([], []),
    ],
)
def test_files_come_in_name_order_and_each_once(
    sources: list[str], expected: list[str], exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(exports)
    assert [path.name for path in matching(sources)] == expected


def test_a_name_with_brackets_is_first_of_all_a_name(exports: Path) -> None:
    assert [path.name for path in matching([str(exports)])] == ["a.csv.gz", "b.csv.gz", "notes.jsonl"]


def test_a_link_to_a_file_given_twice_is_one_file(exports: Path) -> None:
    (exports / "deep" / "link.csv.gz").symlink_to(exports / "a.csv.gz")
    assert len(matching([str(exports / "a.csv.gz"), str(exports / "deep" / "link.csv.gz")])) == 1


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("*.parquet", ["*.parquet", "matches no file", "between quotes"]),
        ("*.part", ["*.part", "matches no file", "c.csv.gz.part"]),
        ("empty", ["empty", "is a folder without files", "it holds nothing"]),
        ("none.csv", ["none.csv does not exist", "'exports/*.csv.gz'", "s3://"]),
    ],
)
def test_a_source_that_names_nothing_is_told(
    source: str, parts: list[str], exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (exports / "empty").mkdir()
    monkeypatch.chdir(exports)
    with pytest.raises(InputError) as raised:
        matching(["a.csv.gz", source])
    for part in parts:
        assert part in str(raised.value)
