"""Objects of an S3 bucket: one key, a folder, a pattern; credentials only from where the operator put them."""

import io
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import fs

from churn_platform.errors import InputError, UsageError
from churn_platform.lake.sources import s3
from churn_platform.lake.sources.declarations import Remote
from churn_platform.lake.sources.s3 import fetch
from churn_platform_tests.lake.sources.s3_server import BUCKET, S3Server, s3_server

KEYS = ("exports/2024/a.csv", "exports/2024/b.csv", "exports/2024/c.jsonl", "exports/2025/a.csv", "top.csv")


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as serving:
        for key in KEYS:
            serving.put(key, key.encode())
        yield serving


@pytest.fixture
def remote(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Remote:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    return Remote(endpoint=server.endpoint, region="us-east-1")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("top.csv", {"top.csv": "top.csv"}),
        ("exports/2024/", {"a.csv": KEYS[0], "b.csv": KEYS[1], "c.jsonl": KEYS[2]}),
        ("exports/2024/*.csv", {"a.csv": KEYS[0], "b.csv": KEYS[1]}),
        ("exports/2024/[bc].*", {"b.csv": KEYS[1], "c.jsonl": KEYS[2]}),
        ("exports/*/a.csv", {"exports-2024-a.csv": KEYS[0], "exports-2025-a.csv": KEYS[3]}),
        ("t*", {"top.csv": "top.csv"}),
        ("", {"top.csv": "top.csv"}),
    ],
)
def test_objects_arrive_under_their_names(key: str, expected: dict[str, str], remote: Remote, tmp_path: Path) -> None:
    fetch(f"s3://{BUCKET}/{key}", remote, tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == expected


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (f"s3://{BUCKET}/exports/2024/d.csv", ["d.csv does not exist", "Existing: a.csv, b.csv, c.jsonl"]),
        (f"s3://{BUCKET}/exports/2024/*.parquet", ["matches no object", "exports/2024/a.csv", "Correct the pattern"]),
        (f"s3://{BUCKET}/none/*", ["matches no object", "lies: nothing"]),
        ("s3://no-such-bucket/*", ["no-such-bucket", "bucket does not exist"]),
        ("s3://", ["names no bucket"]),
    ],
)
def test_what_is_not_there_is_named(url: str, parts: list[str], remote: Remote, tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        fetch(url, remote, tmp_path)
    for part in parts:
        assert part in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_down_is_told_without_credentials(remote: Remote, tmp_path: Path) -> None:
    down = remote.model_copy(update={"endpoint": "http://127.0.0.1:1"})
    with pytest.raises(
        InputError, match=r"cannot be fetched: .*endpoint and region under \[source\.remote\]"
    ) as raised:
        fetch(f"s3://{BUCKET}/top.csv", down, tmp_path)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("variable", s3.ENDPOINT_VARIABLES)
def test_the_endpoint_may_stand_where_aws_tools_look(
    variable: str, remote: Remote, server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, server.endpoint)
    fetch(f"s3://{BUCKET}/top.csv", Remote(), tmp_path)
    assert (tmp_path / "top.csv").read_text() == "top.csv"


def test_credentials_may_stand_in_variables_that_the_mapping_names(
    server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[dict[str, Any]] = []
    connect = fs.S3FileSystem
    monkeypatch.setattr(s3.fs, "S3FileSystem", lambda **options: used.append(options) or connect(**options))
    remote = Remote(endpoint=server.endpoint, access_key_variable="SHOP_KEY", secret_key_variable="SHOP_SECRET")  # noqa: S106 - a name
    with pytest.raises(UsageError, match="variable SHOP_KEY, which is not set"):
        fetch(f"s3://{BUCKET}/top.csv", remote, tmp_path)
    monkeypatch.setenv("SHOP_KEY", "shop")
    monkeypatch.setenv("SHOP_SECRET", "s3cret")
    fetch(f"s3://{BUCKET}/top.csv", remote, tmp_path)
    assert [(options["access_key"], options["secret_key"]) for options in used] == [("shop", "s3cret")]
    with pytest.raises(ValueError, match="together, or neither"):
        Remote(access_key_variable="SHOP_KEY")


def test_an_object_that_breaks_off_is_refused(remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = s3._connect

    class Torn:
        def __init__(self, bucket: str, remote: Remote) -> None:
            self.get_file_info = connect(bucket, remote).get_file_info

        def open_input_stream(self, path: str) -> io.BytesIO:
            return io.BytesIO(b"top")

    monkeypatch.setattr(s3, "_connect", Torn)
    with pytest.raises(InputError, match="broke off after 3 of 7 bytes"):
        fetch(f"s3://{BUCKET}/top.csv", remote, tmp_path)


@pytest.mark.lifecycle
def test_a_large_object_is_streamed(server: S3Server, remote: Remote, tmp_path: Path) -> None:
    size = 200 * 1024 * 1024
    server.put("large/large.bin", bytes(size))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fetch(f"s3://{BUCKET}/large/large.bin", remote, tmp_path)
    assert (tmp_path / "large.bin").stat().st_size == size
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
