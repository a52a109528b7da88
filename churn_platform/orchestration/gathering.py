"""Whatever --source names becomes complete files: the user's own where they lie, all others in landing."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from churn_platform.errors import InputError
from churn_platform.lake.landing import LandingFile, settle
from churn_platform.lake.ledger import Ledger, Mode
from churn_platform.lake.mapping import Mapping, read_mapping
from churn_platform.lake.source_file import fingerprint_of
from churn_platform.lake.sources import files, https, s3
from churn_platform.lake.sources.pulls import PullReport, pull
from churn_platform.settings import Home
from churn_platform.warehouse.lock import WriterLock

POSTGRES = "postgres"


def own_files(sources: Sequence[str]) -> list[Path]:
    """The files on this disk that the sources name, each once.

    Raises:
        InputError: one of them names no file.
    """
    return files.matching([source for source in sources if not is_remote(source) and source != POSTGRES])


def is_remote(source: str) -> bool:
    """Whether a source is an address to download from.

    Raises:
        InputError: an address of a kind that is not read.
    """
    scheme, mark, _ = source.partition("://")
    if mark and f"{scheme}://" not in (s3.SCHEME, https.SCHEME):
        raise InputError(
            f"Addresses that begin with {scheme}:// are not read. Expected s3:// or https://, a path, or postgres."
        )
    return bool(mark)


def fetch(home: Home, sources: Sequence[str], mode: Mode) -> list[LandingFile]:
    """Download the remote sources into landing: all of them appear, or none; what has landed before does not again.

    Raises:
        HomeBusy: another process fetches for this home.
        UsageError: a credential is not set, or stands in the address.
        InputError: something cannot be fetched.
    """
    wanted = dict.fromkeys(source for source in sources if is_remote(source))
    if not wanted:
        return []
    mapping, ledger = read_mapping(home.mapping_file), Ledger(home)
    folder = home.history_landing if mode == "history" else home.landing
    scratch = folder / ".fetch"
    with _fetching(home):
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            for number, source in enumerate(wanted):
                _download(source, mapping, scratch / str(number))
            parts = [part for part in sorted(scratch.glob("*/*")) if not ledger.is_landed(fingerprint_of(part))]
            return [LandingFile(settle(part, folder, part.name), mode) for part in parts]
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def pull_rows(home: Home, mode: Mode) -> PullReport:
    """Pull what is new in the PostgreSQL relation of the mapping into landing.

    Raises:
        HomeBusy: another process fetches for this home.
        UsageError: the mapping has no [source.postgres], or the extension is not installed.
        InputError: the server does not give what the mapping declares.
    """
    with _fetching(home):
        return pull(home, read_mapping(home.mapping_file), mode)


def _fetching(home: Home) -> WriterLock:
    """One fetch at a time; not the home's own lock, so that a long download does not hold a refresh up."""
    lock = WriterLock(home.root / ".fetch.lock")
    lock.acquire("a fetch from a remote source")
    return lock


def _download(source: str, mapping: Mapping, folder: Path) -> None:
    if source.startswith(s3.SCHEME):
        s3.fetch(source, mapping.source.remote, folder)
    else:
        https.fetch(source, mapping.source.remote, folder)
