"""The landing folder: which files wait, and where they go afterwards."""

import hashlib
import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from churn_platform.errors import InputError
from churn_platform.lake.journal import sync_to_disk
from churn_platform.lake.ledger import Mode
from churn_platform.lake.source_file import fingerprint_of
from churn_platform.settings import Home

UNFINISHED_ENDINGS = (".tmp", ".part")
ERROR_ENDING = ".error.txt"  # beside a rejected file, its error


@dataclass(frozen=True)
class LandingFile:
    """A file that waits: directly in `landing/` (live) or in `landing/history/` (bulk history)."""

    path: Path
    mode: Mode

    @property
    def landing(self) -> Path:
        """The landing folder that the file lies in."""
        return self.path.parent if self.mode == "live" else self.path.parent.parent


def waiting(home: Home, settle_seconds: float = 0.0) -> list[LandingFile]:
    """The complete files in landing, history first, then by name; numbers in names count as numbers (9 before 10).

    Complete: a regular file (or a link that stays inside landing), not hidden, not named .tmp or .part, and neither
    written, nor renamed, for `settle_seconds` (0 takes every file at once; a change time cannot be set back by a copy
    tool, so one look is enough).
    """
    now = time.time()
    return [
        file
        for file in _visible(home)
        if not _escapes(file) and file.path.is_file() and _age(file.path, now) >= settle_seconds
    ]


def misplaced(home: Home) -> list[tuple[LandingFile, InputError]]:
    """Links in landing that lead out of it, each with the error to reject it with."""
    return [
        (
            file,
            InputError(
                f"{file.path.name} is a link to {file.path.readlink()}, outside {file.landing}. "
                "Only files inside the landing folder are read. Copy the file itself there."
            ),
        )
        for file in _visible(home)
        if _escapes(file)
    ]


def accept(file: LandingFile) -> Path:
    """Move a landed file to `landing/accepted/` and return its new place."""
    return _move(file.path, file.landing / "accepted")


def keep(source: Path, home: Home) -> Path:
    """Put a file of the user's that has landed from where it lies into `landing/accepted/`; it stays where it is."""
    home.accepted.mkdir(parents=True, exist_ok=True)
    return _place_one(source.resolve(), home.accepted)


def reject(file: LandingFile, error: Exception) -> Path:
    """Move a file to `landing/rejected/`, its error beside it as `<name>.error.txt`; return the file's new place."""
    target = _move(file.path, file.landing / "rejected")
    target.with_name(f"{target.name}{ERROR_ENDING}").write_text(f"{error}\n", encoding="utf-8")
    return target


def place(source_files: Sequence[Path], home: Home, mode: Mode = "history") -> list[LandingFile]:
    """Put a user's own files into landing without changing them: hard link where the disk allows it, else copy.

    Each file appears under its name at once and complete. A file of the same name and content that already waits is
    left alone; one of the same name and other content keeps its place and the newcomer's name gets its fingerprint.

    Raises:
        InputError: a file does not exist or is a folder.
    """
    for source in source_files:
        if not source.is_file():
            what = "is a folder" if source.is_dir() else "does not exist"
            raise InputError(
                f"{source} {what}. Name the files to load, one by one or by a pattern such as exports/*.csv."
            )
    folder = home.history_landing if mode == "history" else home.landing
    folder.mkdir(parents=True, exist_ok=True)
    return [LandingFile(_place_one(source.resolve(), folder), mode) for source in source_files]


def settle(part: Path, folder: Path, name: str) -> Path:
    """Give a complete file its name in a landing folder, at once; one of this content that waits there is kept."""
    target = folder / name
    if target.exists():
        if fingerprint_of(part) == fingerprint_of(target):
            part.unlink()
            return target
        target = _with_fingerprint(target, fingerprint_of(part))
    part.rename(target)
    sync_to_disk(folder)
    return target


def is_finished(path: Path) -> bool:
    """Whether a name is that of a complete file: not hidden, not .tmp, not .part."""
    return not path.name.startswith(".") and not path.name.lower().endswith(UNFINISHED_ENDINGS)


def _place_one(source: Path, folder: Path) -> Path:
    target = folder / source.name
    if target.exists():
        if source.samefile(target) or fingerprint_of(source) == fingerprint_of(target):
            return target
        target = _with_fingerprint(target, fingerprint_of(source))
    unfinished = folder / f".{source.name}.part"
    unfinished.unlink(missing_ok=True)
    try:
        os.link(source, unfinished)
    except OSError:
        shutil.copyfile(source, unfinished)
    unfinished.rename(target)
    return target


def _visible(home: Home) -> list[LandingFile]:
    folders: list[tuple[Path, Mode]] = [(home.history_landing, "history"), (home.landing, "live")]
    return [
        LandingFile(path, mode)
        for folder, mode in folders
        if folder.is_dir()
        for path in sorted(folder.iterdir(), key=_in_order)
        if is_finished(path)
    ]


def _in_order(path: Path) -> list[str | int]:
    # text and digits alternate, so that two keys always compare like with like
    return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"(\d+)", path.name))]


def _escapes(file: LandingFile) -> bool:
    return file.path.is_symlink() and not file.path.resolve().is_relative_to(file.landing.resolve())


def _age(path: Path, now: float) -> float:
    status = path.stat()
    return now - max(status.st_mtime, status.st_ctime)


def _move(path: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / path.name
    if os.path.lexists(target):
        if not path.is_symlink() and target.is_file() and fingerprint_of(path) == fingerprint_of(target):
            path.unlink()
            return target
        target = _with_fingerprint(target, _link_fingerprint(path) if path.is_symlink() else fingerprint_of(path))
    path.rename(target)
    return target


def _link_fingerprint(path: Path) -> str:
    return hashlib.sha256(bytes(path.readlink())).hexdigest()[:16]


def _with_fingerprint(path: Path, fingerprint: str) -> Path:
    name, dot, endings = path.name.partition(".")
    return path.with_name(f"{name}-{fingerprint}{dot}{endings}")
