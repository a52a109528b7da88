"""A file behind https: whole, from a trusted server, without a trace of the secrets in its address."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from churn_platform.errors import InputError, UsageError
from churn_platform.lake.sources.declarations import Remote
from churn_platform.lake.sources.https import fetch
from churn_platform_tests.lake.sources.https_server import LARGE, LARGE_BYTES, HttpsServer, https_server

ORDERS = "/exports/orders%201.csv"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HttpsServer]:
    with https_server(tmp_path) as serving:
        serving.files[ORDERS] = b"user,time\nu,2024-03-01\n"
        yield serving


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "fetched"


def test_a_file_arrives_whole_under_its_own_name(server: HttpsServer, folder: Path) -> None:
    fetch(f"{server.address}{ORDERS}?signature=s3cret", Remote(ca_file=server.ca_file), folder)
    assert [path.name for path in folder.iterdir()] == ["orders 1.csv"]
    assert (folder / "orders 1.csv").read_bytes() == server.files[ORDERS]


def test_a_large_file_is_streamed(server: HttpsServer, folder: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fetch(f"{server.address}{LARGE}", Remote(ca_file=server.ca_file), folder)
    assert (folder / "large.bin").stat().st_size == LARGE_BYTES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_a_server_of_an_unknown_authority_is_not_trusted(server: HttpsServer, folder: Path) -> None:
    with pytest.raises(InputError, match=r"(?s)unable to get local issuer.*declare ca_file under \[source\.remote\]"):
        fetch(f"{server.address}{ORDERS}", Remote(), folder)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/none.csv", "none.csv was refused: 404 Not Found"),
        ("/cut.csv", r"cut.csv broke off after 50 of 100 bytes\. Nothing of it landed"),
        ("/plain.csv", "plain.csv cannot be fetched: it redirects to http, which is not encrypted"),
        ("/", r"gives no usable file name \(''\)"),
        ("/a/%2e%2e", r"gives no usable file name \('\.\.'\)"),
        ("/a/.profile", r"gives no usable file name \('\.profile'\)"),
        ("/a/orders.csv.part", "not hidden and not ending in .tmp or .part"),
    ],
)
def test_what_cannot_be_fetched_is_told_without_the_query(
    path: str, message: str, server: HttpsServer, folder: Path
) -> None:
    server.files["/cut.csv"] = b"x" * 100
    server.cut.add("/cut.csv")
    server.elsewhere["/plain.csv"] = "http://127.0.0.1/plain.csv"
    with pytest.raises(InputError, match=message) as raised:
        fetch(f"{server.address}{path}?signature=s3cret", Remote(ca_file=server.ca_file), folder)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("name", ["..%2F..%2Fescape.csv", "%2Fetc%2Fescape.csv"])
def test_a_name_that_climbs_out_stays_inside(name: str, server: HttpsServer, folder: Path) -> None:
    server.files[f"/a/{name}"] = b"x"
    fetch(f"{server.address}/a/{name}", Remote(ca_file=server.ca_file), folder)
    assert [path.name for path in folder.rglob("*")] == ["escape.csv"]


def test_a_server_that_is_down_is_told(server: HttpsServer, folder: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be fetched: .*refused"):
        fetch("https://127.0.0.1:1/a.csv", Remote(), folder)


def test_the_authorization_comes_from_the_named_variable_and_is_not_sent_on(
    server: HttpsServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/there.csv"] = b"x"
    server.elsewhere["/here.csv"] = f"{server.address.replace('127.0.0.1', 'localhost')}/there.csv"
    remote = Remote(ca_file=server.ca_file, authorization_variable="SHOP_TOKEN")
    with pytest.raises(UsageError, match="variable SHOP_TOKEN, which is not set"):
        fetch(f"{server.address}/here.csv", remote, folder)
    monkeypatch.setenv("SHOP_TOKEN", "Bearer s3cret")
    fetch(f"{server.address}/here.csv", remote, folder)
    assert server.authorized == ["Bearer s3cret", None]


def test_a_password_in_the_address_is_refused_unread(folder: Path) -> None:
    with pytest.raises(UsageError, match="holds a user or a password") as raised:
        fetch("https://shop:s3cret@example.org/a.csv", Remote(), folder)
    assert "s3cret" not in str(raised.value)


def test_a_ca_file_must_be_one(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for ca_file in (tmp_path / "ca.pem", tmp_path / "none.pem"):
        with pytest.raises(UsageError, match=r"source\.remote\.ca_file: .* cannot be read"):
            fetch("https://127.0.0.1:1/a.csv", Remote(ca_file=ca_file), folder)
    with pytest.raises(ValueError, match="must be an absolute path"):
        Remote(ca_file=Path("ca.pem"))
