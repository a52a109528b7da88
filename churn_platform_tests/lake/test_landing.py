"""The landing folder: complete files only, and nothing is ever overwritten."""

import os
from pathlib import Path

import pytest

from churn_platform.errors import InputError
from churn_platform.lake.landing import LandingFile, accept, misplaced, place, reject, waiting
from churn_platform.settings import Home


def test_waiting_gives_complete_files_with_their_mode(home: Home, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("secret")
    for name in ("b.csv", "a.csv", ".hidden.csv", "c.csv.tmp", "d.PART"):
        (home.landing / name).write_text("x")
    (home.history_landing / "old.csv").write_text("x")
    (home.landing / "folder").mkdir()
    (home.landing / "out.csv").symlink_to(outside)
    (home.landing / "in.csv").symlink_to(home.landing / "a.csv")
    found = [(file.path.name, file.mode) for file in waiting(home)]
    assert found == [("old.csv", "history"), ("a.csv", "live"), ("b.csv", "live"), ("in.csv", "live")]


def test_numbers_in_names_are_put_in_order_as_numbers(home: Home) -> None:
    for name in ("day-10.csv", "day-9.csv", "2.csv", "a.csv", "day-9b.csv", "day-009.csv"):
        (home.landing / name).write_text("x")
    found = [file.path.name for file in waiting(home)]
    assert found.index("day-9.csv") < found.index("day-10.csv")
    assert [name for name in found if name[0] != "d"] == ["2.csv", "a.csv"]
    assert len(found) == 6


def test_a_fresh_file_waits_until_it_has_settled(home: Home) -> None:
    path = home.landing / "a.csv"
    path.write_text("x")
    os.utime(path, (0, 0))
    assert waiting(home, settle_seconds=60) == []
    assert [file.path for file in waiting(home, settle_seconds=0)] == [path]


def test_a_link_out_of_landing_is_named_and_rejected_without_touching_its_target(home: Home, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("secret")
    (home.landing / "out.csv").symlink_to(outside)
    ((file, error),) = misplaced(home)
    assert "outside.csv" in str(error)
    moved = reject(file, error)
    assert moved.is_symlink()
    assert outside.read_text() == "secret"
    assert misplaced(home) == []


def test_accept_keeps_both_of_two_files_of_one_name(home: Home) -> None:
    kept = []
    for content in ("one", "two", "one"):
        (home.landing / "a.csv").write_text(content)
        kept.append(accept(LandingFile(home.landing / "a.csv", "live")))
    assert [path.read_text() for path in kept] == ["one", "two", "one"]
    assert kept[0] == kept[2] == home.accepted / "a.csv"
    assert len(list(home.accepted.iterdir())) == 2
    assert waiting(home) == []


def test_reject_puts_the_error_beside_the_file(home: Home) -> None:
    path = home.history_landing / "bad.csv"
    path.write_text("x")
    target = reject(LandingFile(path, "history"), InputError("line 3 is wrong"))
    assert target == home.rejected / "bad.csv"
    assert (home.rejected / "bad.csv.error.txt").read_text() == "line 3 is wrong\n"
    assert not path.exists()


def test_place_leaves_the_users_file_and_shows_it_whole(home: Home, tmp_path: Path) -> None:
    source = tmp_path / "mine.csv"
    source.write_text("content")
    (placed,) = place([source], home, "history")
    assert placed == LandingFile(home.history_landing / "mine.csv", "history")
    assert place([source], home, "history") == [placed]
    accept(placed)
    assert source.read_text() == "content"


def test_place_copies_where_no_link_can_be_made(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(source: Path, target: Path) -> None:
        raise OSError(f"no links from {source} to {target}")

    monkeypatch.setattr(os, "link", no_link)
    source = tmp_path / "mine.csv"
    source.write_text("content")
    (placed,) = place([source], home, "live")
    assert placed.path.read_text() == "content"
    assert placed.path.stat().st_ino != source.stat().st_ino


def test_place_keeps_two_users_files_of_one_name_apart(home: Home, tmp_path: Path) -> None:
    sources = []
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        sources.append(tmp_path / folder / "mine.csv")
        sources[-1].write_text(folder)
    placed = place(sources, home)
    assert sorted(file.path.read_text() for file in placed) == ["x", "y"]


def test_place_names_a_file_that_does_not_exist(home: Home, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.csv does not exist"):
        place([tmp_path / "nothing.csv"], home)
    with pytest.raises(InputError, match="is a folder"):
        place([tmp_path], home)
