"""Text in every usual encoding lands the same events, detected or declared."""

import codecs
import gzip
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churn_platform.errors import InputError
from churn_platform.lake.ingest import FileReport, look
from churn_platform.lake.source_file import examine, in_utf8
from churn_platform.lake.text_encoding import EncodingCensus
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import ARRIVED, events, mapping_of

Write = Callable[[str, bytes | str], Path]
Land = Callable[..., FileReport]

CSV = "user,time,type,qty,price\ncafé €,2024-03-01 10:00:00,purchase,2,1.5\nu,2024-03-02,view,,\n"
JSONL = (
    '{"user": "café €", "time": "2024-03-01 10:00:00", "type": "purchase", "qty": 2, "price": 1.5}\n'
    '{"user": "u", "time": "2024-03-02", "type": "view", "qty": null, "price": null}\n'
)
MARKED = {
    "utf-8": codecs.BOM_UTF8 + CSV.encode(),
    "utf-16": codecs.BOM_UTF16_BE + CSV.encode("utf-16-be"),
    "utf-16-le": codecs.BOM_UTF16_LE + CSV.encode("utf-16-le"),
    "utf-32": codecs.BOM_UTF32_LE + CSV.encode("utf-32-le"),
}
UNMARKED = ["utf-8", "cp1252", "utf-16-le", "utf-16-be"]


@pytest.mark.parametrize("encoding", UNMARKED)
@pytest.mark.parametrize(("name", "text"), [("a.csv", CSV), ("a.jsonl", JSONL), ("a.csv.gz", CSV)])
def test_an_encoding_is_detected_without_a_mark_and_reported(
    encoding: str, name: str, text: str, write: Write, land: Land, home: Home
) -> None:
    content = text.encode(encoding)
    report = land(write(name, gzip.compress(content) if name.endswith(".gz") else content))
    assert events(home, "user_id, source_row") == [("café €", 1), ("u", 2)]
    assert f"encoding {encoding} (detected)" in report.read_as


@pytest.mark.parametrize("content", MARKED.values(), ids=MARKED.keys())
@pytest.mark.parametrize("declared", [False, True])
def test_a_byte_order_mark_says_the_encoding_and_is_no_part_of_the_first_name(
    content: bytes, declared: bool, write: Write, land: Land, home: Home
) -> None:
    encoding = next(name for name, marked in MARKED.items() if marked is content)
    report = land(write("a.csv", content), mapping_of(encoding=encoding) if declared else None)
    assert events(home, "user_id, source_row") == [("café €", 1), ("u", 2)]
    assert ("(declared)" in report.read_as) == declared


def test_a_marked_json_lines_file_keeps_its_first_line(write: Write, land: Land, home: Home) -> None:
    assert land(write("a.jsonl", codecs.BOM_UTF8 + JSONL.encode())).rows == 2
    assert land(write("b.jsonl", JSONL.encode("utf-16"))).rows == 2


@pytest.mark.parametrize(("encoding", "user"), [("cp1251", "Иван"), ("shift_jis", "太郎"), ("iso8859-15", "Žofie")])
def test_any_encoding_may_be_declared(encoding: str, user: str, write: Write, land: Land, home: Home) -> None:
    land(write("a.csv", CSV.replace("café €", user).encode(encoding)), mapping_of(encoding=encoding))
    assert events(home, "user_id") == [(user,), ("u",)]


def test_an_unknown_encoding_is_named(write: Write) -> None:
    with pytest.raises(ValueError, match="'klingon' is not a known text encoding, such as utf-8"):
        mapping_of(encoding="klingon")
    with pytest.raises(ValueError, match="'base64' is not a known text encoding"):
        mapping_of(encoding="base64")


def test_half_a_character_at_the_end_is_named(write: Write, land: Land) -> None:
    with pytest.raises(InputError, match="line 4 is not utf-16 text"):
        land(write("a.csv", CSV.encode("utf-16") + b"\x41"))


def test_looking_at_another_encoding_leaves_nothing(write: Write, home: Home) -> None:
    look(write("a.csv", CSV.encode("cp1252")), "history", mapping_of(), home, "UTC", ARRIVED)
    assert [path.name for path in home.lake.iterdir()] == ["events"]


def test_a_line_that_is_utf8_by_chance_does_not_make_a_file_mixed(write: Write) -> None:
    chance = "Ã©".encode("cp1252")
    content = (CSV.encode("cp1252") * 300) + chance + b"\n"
    assert examine(write("a.csv", content)).encoding == "cp1252"
    assert examine(write("b.csv", CSV.encode("cp1252") * 20 + chance + b"\n")).encoding == "utf-8"


LINES = st.lists(st.text(st.characters(codec="cp1252", exclude_categories=["Cc"]), max_size=12), max_size=20)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES, cuts=st.lists(st.integers(0, 300), max_size=5), encoding=st.sampled_from(["utf-8", "cp1252"]))
def test_the_verdict_does_not_depend_on_where_the_blocks_end(lines: list[str], cuts: list[int], encoding: str) -> None:
    content = "\n".join(lines).encode(encoding)
    whole, parted = EncodingCensus(), EncodingCensus()
    whole.feed(content)
    bounds = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    for begin, end in pairwise(bounds):
        parted.feed(content[begin:end])
    assert whole.encoding("a.csv") == parted.encoding("a.csv")


@settings(deadline=None, max_examples=30)
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), min_size=1).filter(str.strip))
def test_the_copy_in_utf8_holds_the_text_of_the_original(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("utf16")
    path = folder / "a.csv"
    path.write_bytes(text.encode("utf-16"))
    facts = in_utf8(examine(path), folder)
    assert facts.readable.read_bytes().decode() == text
    assert facts.lines == text.count("\n")
