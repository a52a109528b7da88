"""CSV files as other programs write them: the dialect is detected, or declared where it cannot be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from churn_platform.errors import InputError
from churn_platform.lake.csv_dialect import CsvDialect, dialect_of
from churn_platform.lake.ingest import FileReport
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import events, mapping_of

Write = Callable[[str, bytes | str], Path]
Land = Callable[..., FileReport]

PLAIN = "user,time,type,qty,price\n{},2024-03-01,view,,\nv,2024-03-02,view,,\n"
DETECTED = {
    "double": (PLAIN.format('"a ""b"", c"'), 'a "b", c', CsvDialect(",", '"', '"')),
    "backslash": (PLAIN.format(r'"a \"b\", c"'), 'a "b", c', CsvDialect(",", '"', "\\")),
    "single": (PLAIN.replace("v,", "'v',").format("'a, ''b'''"), "a, 'b'", CsvDialect(",", "'", "'")),
    "apostrophe": (PLAIN.format("'t Hooft"), "'t Hooft", CsvDialect(",", '"', '"')),
    "bar": (PLAIN.replace(",", "|").format('"a | b"'), "a | b", CsvDialect("|", '"', '"')),
    "caret": (PLAIN.replace(",", "^").format("a,b"), "a,b", CsvDialect("^", '"', '"')),
    "start of heading": (PLAIN.replace(",", "\x01").format("a,b"), "a,b", CsvDialect("\x01", '"', '"')),
    "path": (PLAIN.format('"C:\\dir\\"'), "C:\\dir\\", CsvDialect(",", '"', '"')),
    "quoted header": ('"user","a;b;c;d;e;f",time,type,qty,price\nu,1,2024-03-01,view,,\nv,,2024-03-01,view,,\n',
                      "u", CsvDialect(",", '"', '"')),
}  # fmt: skip


@pytest.mark.parametrize(("text", "user", "dialect"), DETECTED.values(), ids=DETECTED.keys())
def test_a_dialect_is_detected(text: str, user: str, dialect: CsvDialect, write: Write, land: Land, home: Home) -> None:
    path = write("a.csv", text)
    assert dialect_of(text, path, mapping_of().source) == dialect
    report = land(path)
    assert events(home, "user_id") == [(user,), ("v",)]
    assert f"delimiter {dialect.delimiter!r} (detected), quote {dialect.quote!r} (detected)" in report.read_as


def test_what_is_declared_is_not_guessed(write: Write, land: Land, home: Home) -> None:
    text = "user:time:type:qty:price,a,b,c,d,e\n~x:%~y~:2024-03-01:view::1\n"
    report = land(
        write("a.csv", text),
        mapping_of(
            {"user_id": "user", "event_time": "time", "event_type": "type"}, delimiter=":", quote="~", escape="%"
        ),
    )
    assert events(home, "user_id") == [("x:~y",)]
    assert "delimiter ':' (declared), quote '~' (declared), escape '%' (declared)" in report.read_as


def test_a_wrong_declaration_is_refused_not_read_as_something_else(write: Write, land: Land) -> None:
    with pytest.raises(InputError, match="has no column 'user'"):
        land(write("a.csv", PLAIN.format("u")), mapping_of(delimiter=";"))


def test_a_header_that_never_ends_is_named(write: Write, land: Land) -> None:
    with pytest.raises(InputError, match="line 1: the header cannot be read"):
        land(write("a.csv", "x" * 200_000 + "," + PLAIN.format("u")))


def test_a_header_over_two_lines_and_a_nameless_column_are_read(write: Write, land: Land, home: Home) -> None:
    land(write("a.csv", '"user",time,type,qty,price,\nu,2024-03-01,view,,,7\n'), mapping_of(
        {"user_id": "user", "event_time": "time", "event_type": "type", "channel": "column6"}))  # fmt: skip
    assert events(home, "channel") == [("7",)]
