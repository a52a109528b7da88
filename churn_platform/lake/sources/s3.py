"""Objects of an S3 bucket, on AWS or on a compatible server.

pyarrow's client rather than DuckDB's httpfs: it streams an object to disk byte by byte, where httpfs reads the records
over the network on each pass or an object into memory as a whole; and it finds credentials as AWS's own tools do.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from pyarrow import fs

from churn_platform.errors import InputError, suggest
from churn_platform.lake.sources.declarations import Remote
from churn_platform.lake.sources.download import file_name, save
from churn_platform.settings import secret, variable

SCHEME = "s3://"
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
NAMES_SHOWN = 20
REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")


def fetch(url: str, remote: Remote, folder: Path) -> None:
    """Download the objects that an address names into a folder: one key, a folder that ends in /, or a pattern.

    In a pattern, * and ? stay within one part between slashes.

    Raises:
        UsageError: a variable that the mapping names is not set.
        InputError: no object is there, or the server cannot be reached, says no, or breaks off.
    """
    bucket, _, key = url.removeprefix(SCHEME).partition("/")
    if not bucket:
        raise InputError(f"{url} names no bucket. Expected s3://bucket/key, s3://bucket/folder/ or s3://bucket/key*.")
    try:
        system = _connect(bucket, remote)
        objects = _objects(system, bucket, key, url)
        for found, name in zip(objects, _distinct_names(objects), strict=True):
            with system.open_input_stream(found.path) as stream:
                save(stream, found.size, folder / name, f"{SCHEME}{found.path}")
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{url} cannot be fetched: {reason}. Check the bucket's name, the AWS_* variables or the profile, and "
            "endpoint and region under [source.remote] in the mapping. Nothing of it landed; run again."
        ) from error


def _connect(bucket: str, remote: Remote) -> fs.S3FileSystem:
    endpoint = remote.endpoint or next(filter(None, map(variable, ENDPOINT_VARIABLES)), None)
    region = remote.region
    if region is None and endpoint is None and not any(map(variable, REGION_VARIABLES)):
        region = fs.resolve_s3_region(bucket)
    return fs.S3FileSystem(
        access_key=secret(remote.access_key_variable) if remote.access_key_variable else None,
        secret_key=secret(remote.secret_key_variable) if remote.secret_key_variable else None,
        anonymous=remote.anonymous,
        region=region,
        endpoint_override=endpoint,
        tls_ca_file_path=str(remote.ca_file) if remote.ca_file else None,
    )


def _objects(system: fs.S3FileSystem, bucket: str, key: str, url: str) -> list[fs.FileInfo]:
    pattern = f"{key}*" if key.endswith("/") or not key else key
    wanted = f"{bucket}/{pattern}".split("/")
    magic = next((number for number, part in enumerate(wanted) if any(sign in part for sign in "*?[")), None)
    if magic is None:
        info = system.get_file_info(f"{bucket}/{key}")
        if info.type == fs.FileType.File:
            return [info]
        beside = [near.base_name for near in _listed(system, wanted[:-1], recursive=False)]
        raise InputError(f"{url} does not exist.{suggest(wanted[-1], beside[:NAMES_SHOWN])}")
    listed = _listed(system, wanted[:magic], recursive=magic < len(wanted) - 1)
    found = [info for info in listed if _fits(info.path.split("/"), wanted)]
    if not found:
        near = ", ".join(info.path.removeprefix(f"{bucket}/") for info in listed[:NAMES_SHOWN]) or "nothing"
        raise InputError(f"{url} matches no object. Beside it lies: {near}. Correct the pattern.")
    return found


def _listed(system: fs.S3FileSystem, folder: Sequence[str], *, recursive: bool) -> list[fs.FileInfo]:
    try:
        beside = system.get_file_info(fs.FileSelector("/".join(folder), recursive=recursive))
    except FileNotFoundError:
        return []
    return sorted((info for info in beside if info.type == fs.FileType.File), key=lambda info: info.path)


def _fits(path: Sequence[str], pattern: Sequence[str]) -> bool:
    return len(path) == len(pattern) and all(map(fnmatchcase, path, pattern))


def _distinct_names(objects: Sequence[fs.FileInfo]) -> list[str]:
    """The objects' own names; those that several folders share are prefixed by what lies above them."""
    names = [file_name(info.path, f"{SCHEME}{info.path}") for info in objects]
    if len(set(names)) == len(names):
        return names
    return [file_name(info.path.partition("/")[2].replace("/", "-"), f"{SCHEME}{info.path}") for info in objects]
