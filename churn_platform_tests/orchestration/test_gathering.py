"""Remote sources become files in landing: all of them or none, and each content once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from churn_platform.errors import HomeBusy, InputError
from churn_platform.lake.ingest import ingest
from churn_platform.lake.landing import accept, waiting
from churn_platform.lake.mapping import read_mapping
from churn_platform.orchestration.gathering import POSTGRES, fetch, own_files, pull_rows
from churn_platform.settings import Home
from churn_platform.warehouse.lock import WriterLock
from churn_platform_tests.lake.shop_files import ARRIVED
from churn_platform_tests.lake.sources.https_server import HttpsServer, https_server
from churn_platform_tests.lake.sources.s3_server import BUCKET, S3Server, s3_server

CSV = b"user,time\nu,2024-03-01\n"
MAPPING = """
[source]
name = "shop"
remote.ca_file = "{ca_file}"
remote.endpoint = "{endpoint}"
remote.region = "us-east-1"
[columns]
user_id = "user"
event_time = "time"
event_type = "'view'"
"""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[HttpsServer]:
    with https_server(tmp_path) as serving:
        serving.files["/a/orders.csv"] = CSV
        serving.files["/b/orders.csv"] = CSV.replace(b"u,", b"v,")
        yield serving


@pytest.fixture(scope="module")
def bucket() -> Iterator[S3Server]:
    with s3_server() as serving:
        serving.put("orders.csv", CSV.replace(b"u,", b"w,"))
        yield serving


@pytest.fixture
def home(tmp_path: Path, web: HttpsServer, bucket: S3Server, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA-TESTING")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    home = Home(tmp_path / "home").create()
    home.mapping_file.write_text(MAPPING.format(ca_file=web.ca_file, endpoint=bucket.endpoint))
    return home


def land(home: Home) -> None:
    for file in waiting(home):
        ingest(file.path, file.mode, read_mapping(home.mapping_file), home, "UTC", ARRIVED)
        accept(file)


def users(files: list[Path]) -> list[str]:
    return sorted(file.read_text().splitlines()[1][0] for file in files)


def test_files_of_one_name_from_several_places_are_kept_apart(home: Home, web: HttpsServer) -> None:
    sources = [f"{web.address}/a/orders.csv", f"{web.address}/b/orders.csv", f"s3://{BUCKET}/*.csv"]
    fetched = fetch(home, sources, "history")
    assert users([file.path for file in fetched]) == ["u", "v", "w"]
    assert {(file.path.parent, file.mode) for file in fetched} == {(home.history_landing, "history")}
    assert waiting(home) == sorted(fetched, key=lambda file: file.path)


def test_content_that_waits_or_has_landed_is_not_taken_again(home: Home, web: HttpsServer) -> None:
    source = f"{web.address}/a/orders.csv"
    first = fetch(home, [source, source], "live")
    assert fetch(home, [source], "live") == first == waiting(home)
    land(home)
    assert fetch(home, [source], "live") == []
    web.files["/a/orders.csv"] += b"u,2024-03-02\n"
    assert len(fetch(home, [source], "live")) == 1


def test_if_one_cannot_be_fetched_none_appears(home: Home, web: HttpsServer) -> None:
    web.cut.add("/b/orders.csv")
    with pytest.raises(InputError, match="broke off"):
        fetch(home, [f"{web.address}/a/orders.csv", f"{web.address}/b/orders.csv"], "live")
    assert [path for path in home.landing.rglob("*") if path.is_file()] == []


def test_what_a_killed_fetch_left_is_removed_and_never_lands(home: Home, web: HttpsServer) -> None:
    left = home.history_landing / ".fetch" / "0" / "half.csv"
    left.parent.mkdir(parents=True)
    left.write_text("half a fi")
    assert waiting(home) == []
    assert [file.path.name for file in fetch(home, [f"{web.address}/a/orders.csv"], "history")] == ["orders.csv"]
    assert not left.exists()


def test_no_secret_of_an_address_or_of_the_environment_stays_in_the_home(home: Home, web: HttpsServer) -> None:
    fetch(home, [f"{web.address}/a/orders.csv?X-Amz-Signature=s3cret", f"s3://{BUCKET}/orders.csv"], "history")
    land(home)
    for path in home.root.rglob("*"):
        assert "s3cret" not in path.name
        assert path.is_dir() or not any(word in path.read_bytes() for word in (b"s3cret", b"AKIA-TESTING"))


def test_two_fetches_at_once_do_not_share_a_folder(home: Home, web: HttpsServer) -> None:
    with WriterLock(home.root / ".fetch.lock") as lock:
        lock.acquire("another fetch")
        with pytest.raises(HomeBusy, match="another fetch"):
            fetch(home, [f"{web.address}/a/orders.csv"], "live")
        with pytest.raises(HomeBusy, match="another fetch"):
            pull_rows(home, "live")
    assert len(fetch(home, [f"{web.address}/a/orders.csv"], "live")) == 1


def test_own_files_and_remote_sources_are_told_apart(home: Home, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(CSV)
    sources = [str(tmp_path / "*.csv"), "https://example.org/a.csv", "s3://bucket/a.csv", POSTGRES]
    assert own_files(sources) == [tmp_path / "mine.csv"]
    for source in ("http://example.org/a.csv", "ftp://example.org/a.csv"):
        with pytest.raises(InputError, match=r"are not read\. Expected s3://"):
            own_files([source])
