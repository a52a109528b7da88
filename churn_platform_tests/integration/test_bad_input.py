"""Input that cannot be read: a clear error, exit code 2, nothing half landed, nothing lost."""

import gzip
import sys
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from churn_platform import cli
from churn_platform.lake.ledger import Ledger
from churn_platform.settings import Home

MAPPING = """
[source]
name = "tiny"
[columns]
user_id = "customer"
event_time = "at"
event_type = "'purchase'"
quantity = "quantity"
unit_price = "price"
"""
GOOD = "customer,at,quantity,price\n" + "".join(f"c{n},2025-01-{n + 10} 10:00:00,1,9.5\n" for n in range(1, 20))


@dataclass(frozen=True)
class Ended:
    code: int
    said: str


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path / "home")
    monkeypatch.setenv("CHURN_HOME", str(home.root))
    monkeypatch.setenv("DAGSTER_HOME", str(home.dagster))
    (tmp_path / "mapping.toml").write_text(MAPPING)
    return home


def run(home: Home, source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ended:
    command = ["churn", "run", "--source", str(source), "--mapping", str(home.root.parent / "mapping.toml")]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    return Ended(int(ended.value.code or 0), printed.out + printed.err)


def good_parquet(folder: Path) -> bytes:
    pl.read_csv(GOOD.encode()).write_parquet(folder / "good.parquet")
    return (folder / "good.parquet").read_bytes()


def bad_files(folder: Path) -> dict[str, tuple[str, bytes, tuple[str, ...]]]:
    """name of the case → file name, content, words that the message must hold."""
    late = GOOD.replace("2025-01-15 10:00:00", "the 15th")
    return {
        "a column that the file lacks": (
            "shop.csv",
            GOOD.replace("customer,", "client,").encode(),
            ("columns.user_id", "customer", "client"),
        ),
        "an empty file": ("shop.csv", b"", ("shop.csv", "empty")),
        "a header only": ("shop.csv", b"customer,at,quantity,price\n", ("shop.csv",)),
        "not what its ending says": ("shop.parquet", GOOD.encode(), ("shop.parquet", "Parquet")),
        "binary in a CSV": ("shop.csv", good_parquet(folder), ("shop.csv",)),
        "a date that cannot be read": ("shop.csv", late.encode(), ("event_time", "the 15th")),
        "half written Parquet": ("shop.parquet", good_parquet(folder)[:-40], ("shop.parquet",)),
        "half written CSV": ("shop.csv", GOOD.encode()[:-18], ("shop.csv", "half")),
        "half written gzip": ("shop.csv.gz", gzip.compress(GOOD.encode())[:-12], ("shop.csv.gz",)),
    }


@pytest.mark.parametrize("case", [
    "a column that the file lacks", "an empty file", "a header only", "not what its ending says", "binary in a CSV",
    "a date that cannot be read", "half written Parquet", "half written CSV", "half written gzip",
])  # fmt: skip
def test_a_bad_file_is_refused_whole(
    home: Home, tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, content, words = bad_files(tmp_path)[case]
    source = tmp_path / name
    source.write_bytes(content)
    ended = run(home, source, monkeypatch, capsys)
    assert ended.code == 2, ended.said
    for word in words:
        assert word in ended.said, f"{word!r} is missing in: {ended.said}"
    assert source.read_bytes() == content, "the user's own file stays as it is"
    assert Ledger(home).landed() == {}
    assert list(home.events.rglob("*.parquet")) == []


@pytest.mark.lifecycle
def test_a_history_too_short_for_a_model_says_how_much_is_needed(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "shop.csv"
    source.write_text(GOOD)
    ended = run(home, source, monkeypatch, capsys)
    assert ended.code == 1, ended.said
    assert "days of history are needed" in ended.said
    assert "shorten" in ended.said
    assert len(Ledger(home).landed()) == 1, "the good file has landed all the same"


@pytest.mark.parametrize(("command", "words"), [
    (["churn", "query", "SELECT 1"], ("no published file yet", "make demo")),
    (["churn", "demo", "--dataset", "online-retail"], ("no dataset 'online-retail'", "online-retail-ii")),
    (["churn", "promote", "abc", "--by", "Ada", "--note", "x"], ("no model 'abc'",)),
    (["churn", "run", "--source", "none.csv", "--mapping", "missing.toml"], ("missing.toml does not exist",)),
])  # fmt: skip
def test_bad_usage_is_told_in_words(
    home: Home,
    command: list[str],
    words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert ended.value.code == 2
    for word in words:
        assert word in said
