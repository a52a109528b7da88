"""An Excel workbook: its sheets, and the rows of one of them as text."""

import zipfile
from datetime import datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import duckdb

from churn_platform.errors import InputError, UsageError, suggest
from churn_platform.extensions import load_extension
from churn_platform.lake.expressions import quoted
from churn_platform.lake.mapping import EPOCH_FORMATS, EXCEL_SERIAL, Source

MAIN: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
STRICT: Final = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
WORKBOOK_PART: Final = "xl/workbook.xml"
ISO_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%g"
EPOCH_1900: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a cell has no zone
EPOCH_1904: Final = datetime(1904, 1, 1)  # noqa: DTZ001


def prepare_workbook(connection: duckdb.DuckDBPyConnection, path: Path, source: Source) -> str:
    """Make a sheet readable through the variables of xlsx_records.sql, and give its name: the declared or first one.

    Raises:
        InputError: not a workbook, no such sheet, or the excel extension is not installed.
    """
    root = _workbook_part(path)
    sheet = _chosen(root, path.name, source.sheet)
    try:
        load_extension(connection, "excel", f"Reading {path.name}")
    except UsageError as error:
        raise InputError(str(error)) from error
    properties = _child(root, "workbookPr")
    since_1904 = properties is not None and properties.get("date1904") in ("1", "true")
    connection.execute("SET VARIABLE workbook = ?", [str(path)])
    connection.execute("SET VARIABLE sheet = ?", [sheet])
    connection.execute("SET VARIABLE excel_epoch = ?", [EPOCH_1904 if since_1904 else EPOCH_1900])
    declared = source.time_format if source.time_format not in EPOCH_FORMATS else None
    connection.execute("SET VARIABLE date_cell_format = ?", [declared or ISO_FORMAT])
    return sheet


def date_columns(connection: duckdb.DuckDBPyConnection, path: Path, sheet: str, source: Source) -> list[str]:
    """The columns to turn from serial numbers into times: those whose first cell is formatted as a date.

    None, if the mapping declares that it takes the serial numbers themselves.

    Raises:
        InputError: the sheet holds nothing below a header.
    """
    query = "SELECT * FROM read_xlsx(getvariable('workbook'), sheet = getvariable('sheet'), header = true)"
    try:
        found = connection.execute(f"DESCRIBE {query}").fetchall()
    except duckdb.BinderException as error:
        if "No rows found" not in str(error):
            raise
        raise InputError(
            f"{path.name}: the sheet '{sheet}' is empty. Expected a row of column names and at least one row below it. "
            f"The workbook's sheets: {', '.join(sheet_names(path))}. Name one with sheet under [source] in the mapping."
        ) from error
    if source.time_format == EXCEL_SERIAL:
        return []
    return [name for name, kind, *_ in found if kind in ("DATE", "TIMESTAMP")]


def as_text(columns: list[str]) -> str:
    """The SQL that replaces date cells by text, within a star."""
    if not columns:
        return "*"
    return f"* REPLACE ({', '.join(f'excel_time({quoted(name)}) AS {quoted(name)}' for name in columns)})"


def sheet_names(path: Path) -> list[str]:
    """The names of a workbook's sheets, in the order of their tabs.

    Raises:
        InputError: not a workbook.
    """
    return _sheet_names(_workbook_part(path))


def _sheet_names(root: ElementTree.Element) -> list[str]:
    sheets = _child(root, "sheets")
    return [sheet.get("name", "") for sheet in sheets] if sheets is not None else []


def _chosen(root: ElementTree.Element, file: str, declared: str | None) -> str:
    names = _sheet_names(root)
    if not names:
        raise InputError(f"{file} holds no sheet. Expected one with a row of column names. Export it again.")
    if declared is None:
        return names[0]
    if declared not in names:
        raise InputError(f"Mapping key source.sheet: {file} has no sheet '{declared}'.{suggest(declared, names)}")
    return declared


def _workbook_part(path: Path) -> ElementTree.Element:
    try:
        with zipfile.ZipFile(path) as parts:
            return ElementTree.fromstring(parts.read(WORKBOOK_PART))  # noqa: S314 - expat refuses entity bombs since 2.4.1
    except (zipfile.BadZipFile, ElementTree.ParseError, KeyError, EOFError) as error:
        raise InputError(
            f"{path.name} is not a whole Excel workbook ({error}). Expected an .xlsx file as Excel saves it. "
            "Copy or export it again."
        ) from error


def _child(root: ElementTree.Element, name: str) -> ElementTree.Element | None:
    found = root.find(f"{MAIN}{name}")
    return found if found is not None else root.find(f"{STRICT}{name}")
