"""A file is its old self or its new one."""

from pathlib import Path

import pytest

from churn_platform.whole_file import written_whole


def write_and_fail(target: Path) -> None:
    with written_whole(target) as draft:
        draft.write_text("half")
        raise ZeroDivisionError


def test_the_new_content_is_there_after_the_block_and_not_before(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    for content in ("first", "second"):
        before = target.read_text() if target.exists() else None
        with written_whole(target) as draft:
            draft.write_text(content)
            assert (target.read_text() if target.exists() else None) == before
        assert target.read_text() == content
        assert [*tmp_path.iterdir()] == [target]


def test_an_error_leaves_the_old_content(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError):
        write_and_fail(target)
    assert target.read_text() == "old"
