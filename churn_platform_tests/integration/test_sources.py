"""The commands churn run and churn pull with every kind of source."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from churn_platform import cli
from churn_platform.lake.ingest import ingest
from churn_platform.lake.landing import accept, waiting
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import read_mapping
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import events
from churn_platform_tests.lake.sources.https_server import HttpsServer, https_server
from churn_platform_tests.lake.sources.postgres_server import PostgresServer, postgres_server

pytestmark = pytest.mark.lifecycle

MAPPING = """
[source]
name = "tiny"
[source.remote]
ca_file = "{ca_file}"
[source.postgres]
dsn = "{dsn}"
table = "orders"
cursor = "id"
[columns]
user_id = "customer"
event_time = "at"
event_type = "'purchase'"
"""
TABLE = """
DROP TABLE IF EXISTS orders;
CREATE TABLE orders AS SELECT n AS id, 'p' || n AS customer, timestamp '2025-01-01' + n * interval '1 day' AS at
FROM generate_series(1, 20) AS n
"""

Run = Callable[..., "Ended"]


@dataclass(frozen=True)
class Ended:
    code: int
    said: str


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        server.execute(TABLE)
        yield server


@pytest.fixture
def web(tmp_path: Path) -> Iterator[HttpsServer]:
    with https_server(tmp_path) as serving:
        yield serving


@pytest.fixture
def home(tmp_path: Path, web: HttpsServer, database: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path / "home")
    monkeypatch.setenv("CHURN_HOME", str(home.root))
    monkeypatch.setenv("DAGSTER_HOME", str(home.dagster))
    (tmp_path / "mapping.toml").write_text(MAPPING.format(ca_file=web.ca_file, dsn=database.dsn))
    return home


@pytest.fixture
def run(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on the home; sources are named after it."""

    def runner(command: str, *sources: str) -> Ended:
        options = [part for source in sources for part in ("--source", source)]
        mapping = ["--mapping", str(home.root.parent / "mapping.toml")] if command == "run" else []
        monkeypatch.setattr(sys, "argv", ["churn", command, *options, *mapping])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out + printed.err)

    return runner


def days(customer: str) -> str:
    return "customer,at\n" + "".join(f"{customer}{n},2025-01-{n + 10} 10:00:00\n" for n in range(1, 20))


def land_waiting(home: Home) -> None:
    for file in waiting(home):
        ingest(file.path, file.mode, read_mapping(home.mapping_file), home, "UTC", datetime.now(UTC))
        accept(file)


def landed(home: Home) -> list[str]:
    return sorted(file.file for file in Ledger(home).landed().values())


def test_a_pattern_and_an_address_land_in_one_run_and_once(
    home: Home, run: Run, web: HttpsServer, tmp_path: Path
) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.csv").write_text(days(name))
    web.files["/c.csv"] = days("c").encode()
    sources = (str(tmp_path / "*.csv"), f"{web.address}/c.csv?signature=s3cret")
    first = run("run", *sources)
    assert first.code == 1, "a history too short for a model"
    assert landed(home) == ["a.csv", "b.csv", "c.csv"]
    assert (tmp_path / "a.csv").exists()
    assert "s3cret" not in first.said
    assert "signature" not in home.ledger_file.read_text()
    assert (run("pull", sources[1]).code, landed(home)) == (0, ["a.csv", "b.csv", "c.csv"])
    assert [path for path in home.landing.iterdir() if path.is_file()] == []


def test_a_table_is_loaded_as_history_and_then_pulled_as_deliveries(
    home: Home, run: Run, database: PostgresServer
) -> None:
    told = run("run", "postgres").said
    assert "20 rows pulled from PostgreSQL, up to 20." in told
    assert landed(home) == ["orders-000001.parquet"]
    nothing = run("pull")
    assert (nothing.code, nothing.said.splitlines()[-1]) == (0, "Nothing new.")
    database.execute("INSERT INTO orders VALUES (21, 'p21', now())")
    pulled = run("pull")
    assert pulled.code == 0
    assert str(home.landing / "orders-000002.parquet") in pulled.said
    land_waiting(home)
    assert [user for (user,) in events(home, "user_id")] == [f"p{n}" for n in range(1, 22)]
    modes = [file.mode for file in Ledger(home).landed().values()]
    assert modes == ["history", "live"]


def test_a_fetched_file_that_cannot_be_read_is_set_aside_with_its_error(home: Home, run: Run, web: HttpsServer) -> None:
    web.files["/bad.csv"] = b"client,at\nu,2025-01-01\n"
    ended = run("run", f"{web.address}/bad.csv")
    assert ended.code == 2
    assert "has no column 'customer'" in ended.said
    assert f"The fetched file is {home.rejected / 'bad.csv'}" in ended.said
    assert (home.rejected / "bad.csv.error.txt").exists()
    assert landed(home) == []


@pytest.mark.parametrize(
    ("command", "source", "words"),
    [
        ("run", "exports/*.csv", ("exports/*.csv", "a pattern that matches no file")),
        ("run", "http://127.0.0.1/a.csv", ("http:// are not read",)),
        ("pull", "{folder}/mapping.toml", ("lies on this machine", "use churn run")),
        ("pull", "{web}/none.csv", ("none.csv was refused: 404",)),
    ],
)
def test_a_source_that_gives_nothing_is_told_in_words(
    command: str, source: str, words: tuple[str, ...], home: Home, run: Run, web: HttpsServer, tmp_path: Path
) -> None:
    home.create()
    home.mapping_file.write_text((tmp_path / "mapping.toml").read_text())
    ended = run(command, source.format(folder=tmp_path, web=web.address))
    assert ended.code == 2, ended.said
    for word in words:
        assert word in ended.said
    assert landed(home) == []


def test_an_empty_table_in_an_empty_home_is_told(home: Home, run: Run, database: PostgresServer) -> None:
    database.execute("TRUNCATE orders")
    ended = run("run", "postgres")
    database.execute(TABLE)
    assert (ended.code, "Expected at least one event" in ended.said) == (2, True)
