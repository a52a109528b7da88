"""The user's own files: one, a folder of them, or a pattern."""

import glob
from collections.abc import Sequence
from pathlib import Path

from churn_platform.errors import InputError
from churn_platform.lake.landing import is_finished


def matching(sources: Sequence[str]) -> list[Path]:
    """The files that the sources name, each once: in the order of the sources, within one by name.

    A source is a file, a folder (the files directly in it) or a pattern such as `exports/**/*.csv.gz`. Hidden and
    unfinished files (.tmp, .part) are left out of folders and patterns.

    Raises:
        InputError: a source names no file.
    """
    found: dict[Path, Path] = {}
    for source in sources:
        for path in _files_of(source):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _files_of(source: str) -> list[Path]:
    path = Path(source).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        return _checked(source, sorted(path.iterdir()), "is a folder without files")
    if glob.has_magic(source):
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207 - it may be absolute
        return _checked(source, found, "is a pattern that matches no file")
    raise InputError(
        f"{source} does not exist. Name an existing file, a folder, a pattern such as 'exports/*.csv.gz', "
        "an address that begins with s3:// or https://, or postgres."
    )


def _checked(source: str, paths: Sequence[Path], problem: str) -> list[Path]:
    files = [path for path in paths if path.is_file() and is_finished(path)]
    if not files:
        others = ", ".join(path.name for path in paths[:10]) or "nothing"
        raise InputError(
            f"{source} {problem}; it holds {others}. Expected CSV, JSON Lines, Parquet or Excel files. "
            "Correct the path; in a shell, put a pattern between quotes."
        )
    return files
