"""Excel workbooks: sheets, dates that are numbers, blank rows, and errors that list the sheets."""

import importlib.util
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import pytest
import xlsxwriter

from churn_platform.errors import InputError
from churn_platform.lake.ingest import FileReport
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.workbook import sheet_names
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import at, events, mapping_of, quarantined

Write = Callable[[str, bytes | str], Path]
Land = Callable[..., FileReport]
Cell = str | int | float | datetime | None

HEADER = ["user", "time", "type", "qty", "price"]
SERIAL = 45352.416666666664  # 2024-03-01 10:00
FIRST: list[Cell] = [13085, at(2024, 3, 1, 10), "purchase", 2, 1.5]


def workbook(path: Path, sheets: dict[str, Sequence[Sequence[Cell]]], **options: object) -> Path:
    """Write sheets of cells; a time becomes a serial number formatted as a date."""
    with xlsxwriter.Workbook(path, {"default_date_format": "dd/mm/yyyy hh:mm", **options}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return path


def test_dates_stored_as_serial_numbers_become_times(tmp_path: Path, land: Land, home: Home) -> None:
    rows = [HEADER, FIRST, ["007", at(2024, 3, 2, 23, 59, second=59), "view", None, None]]
    report = land(workbook(tmp_path / "a.xlsx", {"Orders": rows}), timezone="UTC")
    assert events(home, "user_id, event_time, quantity, unit_price, source_row, source_file") == [
        ("13085", at(2024, 3, 1, 10), 2, 1.5, 1, "a.xlsx"),
        ("007", at(2024, 3, 2, 23, 59, second=59), None, None, 2, "a.xlsx"),
    ]  # fmt: skip
    assert report.read_as == "xlsx, the first sheet"


@pytest.mark.parametrize("since_1904", [False, True])
def test_both_day_counts_of_excel_are_read(since_1904: bool, tmp_path: Path, land: Land, home: Home) -> None:
    land(workbook(tmp_path / "a.xlsx", {"Orders": [HEADER, FIRST]}, date_1904=since_1904))
    assert events(home, "event_time") == [(at(2024, 3, 1, 10),)]


def test_a_serial_number_without_a_format_is_declared(tmp_path: Path, land: Land, home: Home) -> None:
    path = workbook(tmp_path / "a.xlsx", {"Orders": [HEADER, ["u", SERIAL, "view"], ["v", "soon", "view"]]})
    report = land(path, mapping_of(time_format="excel_serial", timezone="Europe/Berlin"))
    assert events(home, "event_time") == [(at(2024, 3, 1, 9),)]
    assert [row[:3] for row in quarantined(home, report.fingerprint)] == [(2, "unreadable event_time", "soon")]


def test_a_serial_number_in_text_is_read_too(write: Write, land: Land, home: Home) -> None:
    land(write("a.csv", f"user,time,type,qty,price\nu,{SERIAL},view,,\n"), mapping_of(time_format="excel_serial"))
    assert events(home, "event_time") == [(at(2024, 3, 1, 10),)]


def test_a_date_typed_as_text_among_date_cells_is_read_in_the_declared_format(
    tmp_path: Path, land: Land, home: Home
) -> None:
    path = workbook(tmp_path / "a.xlsx", {"O": [HEADER, FIRST, ["u", "31/03/2024 10:00", "view"]]})
    land(path, mapping_of(time_format="%d/%m/%Y %H:%M"))
    assert events(home, "event_time") == [(at(2024, 3, 1, 10),), (at(2024, 3, 31, 10),)]


def test_blank_rows_are_no_end_and_count(tmp_path: Path, land: Land, home: Home) -> None:
    rows = [HEADER, FIRST, [], [None] * 5, ["u", at(2024, 3, 2), "view"], [None, at(2024, 3, 2), "view"], FIRST]
    report = land(workbook(tmp_path / "a.xlsx", {"Orders": rows}))
    assert events(home, "source_row") == [(1,), (4,), (6,)]
    ((row, reason, _, original),) = quarantined(home, report.fingerprint)
    assert (row, reason) == (5, "missing user_id")
    assert '"time":"2024-03-02T00:00:00.000"' in str(original)


def test_the_declared_sheet_is_read(tmp_path: Path, land: Land, home: Home) -> None:
    path = workbook(tmp_path / "a.xlsx", {"Notes": [["hello"], [1]], 'Q1 & "Q2"': [HEADER, FIRST]})
    assert sheet_names(path) == ["Notes", 'Q1 & "Q2"']
    report = land(path, mapping_of(sheet='Q1 & "Q2"'))
    assert report.rows == 1
    assert report.read_as == "xlsx, sheet 'Q1 & \"Q2\"'"


@pytest.mark.parametrize(
    ("sheet", "parts"),
    [
        ("Ordrs", ["source.sheet", "a.xlsx", "'Ordrs'", "Did you mean 'Orders'?", "Existing: Empty, Orders"]),
        ("Empty", ["a.xlsx", "the sheet 'Empty' is empty", "Name one with sheet"]),
        (None, ["the sheet 'Empty' is empty", "sheets: Empty, Orders"]),
    ],
)
def test_a_sheet_that_cannot_be_read_is_named_with_those_that_exist(
    sheet: str | None, parts: list[str], tmp_path: Path, land: Land, home: Home
) -> None:
    path = workbook(tmp_path / "a.xlsx", {"Empty": [], "Orders": [HEADER, FIRST]})
    with pytest.raises(InputError) as raised:
        land(path, mapping_of(sheet=sheet))
    for part in parts:
        assert part in str(raised.value)
    assert Ledger(home).fragments() == []


def test_a_header_alone_and_a_missing_column_are_named(tmp_path: Path, land: Land) -> None:
    with pytest.raises(InputError, match="a header but no rows"):
        land(workbook(tmp_path / "a.xlsx", {"Orders": [HEADER]}))
    with pytest.raises(InputError, match=r"b\.xlsx has no column 'user'\. Did you mean 'users'"):
        land(workbook(tmp_path / "b.xlsx", {"Orders": [["users", *HEADER[1:]], FIRST]}))


def test_a_damaged_workbook_is_refused(tmp_path: Path, land: Land, write: Write) -> None:
    whole = workbook(tmp_path / "a.xlsx", {"Orders": [HEADER, *[FIRST] * 2000]}).read_bytes()
    with pytest.raises(InputError, match=r"cut\.xlsx is not a whole Excel workbook"):
        land(write("cut.xlsx", whole[: len(whole) // 2]))
    with zipfile.ZipFile(tmp_path / "other.xlsx", "w") as archive:
        archive.writestr("letter.txt", "hello")
    with pytest.raises(InputError, match=r"other\.xlsx is not a whole Excel workbook"):
        land(tmp_path / "other.xlsx")
    with pytest.raises(InputError, match=r"old.xlsx is not what its ending says.*before 2007 \(.xls\)"):
        land(write("old.xlsx", b"\xd0\xcf\x11\xe0" + b"\0" * 600))


def test_without_the_wheel_it_says_what_to_install(
    tmp_path: Path, land: Land, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "duckdb_extension_excel" else find_spec(name)
    )
    path = workbook(tmp_path / "a.xlsx", {"Orders": [HEADER, FIRST]})
    with pytest.raises(InputError, match=r"Reading a.xlsx needs .* Install duckdb-extension-excel==1\.5\.5"):
        land(path)
    monkeypatch.undo()
    assert land(path).rows == 1
