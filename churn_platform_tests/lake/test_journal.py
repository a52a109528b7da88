"""The journal: no record is lost to a torn write but the one being written."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.errors import UsageError
from churn_platform.lake.journal import Journal

RECORDS = st.lists(st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=8), st.integers())), max_size=6)


@settings(deadline=None, max_examples=50)
@given(records=RECORDS, data=st.data())
def test_any_truncation_loses_at_most_the_last_record(records: list[dict[str, object]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.jsonl")
        sizes = []
        for record in records:
            journal.append(record)
            sizes.append(journal.path.stat().st_size)
        cut = data.draw(st.integers(0, sizes[-1] if sizes else 0))
        whole = sum(size <= cut for size in sizes)
        if records:
            with journal.path.open("r+b") as stream:
                stream.truncate(cut)
        assert journal.records() == records[:whole]
        journal.append({"after": "the kill"})
        assert journal.records() == [*records[:whole], {"after": "the kill"}]


def test_a_long_torn_line_is_removed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append({"kept": 1})
    with journal.path.open("ab") as stream:
        stream.write(b'{"torn": "' + b"x" * 200_000)
    journal.append({"kept": 2})
    assert [json.loads(line) for line in journal.path.read_text().splitlines()] == [{"kept": 1}, {"kept": 2}]


@pytest.mark.parametrize("line", ["not json", "[1]"])
def test_an_edited_line_is_an_error_that_names_it(tmp_path: Path, line: str) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append({"a": 1})
    with journal.path.open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(UsageError, match="line 2"):
        journal.records()
