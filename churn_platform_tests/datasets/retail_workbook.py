"""A small workbook in the publisher's shape, its archive, and what it must come out as."""

import io
import zipfile
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from xml.sax.saxutils import escape

from churn_platform.datasets.online_retail_ii import COLUMNS, SHEETS, WORKBOOK, Figures

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"

Cell = str | int | float | datetime | None
Row = Sequence[Cell]


class Line(NamedTuple):
    """One invoice line, in the order of the published columns."""

    invoice: str
    stock_code: str
    description: str | None
    quantity: int
    at: datetime
    price: float
    customer: int | None
    country: str


def local(time: str) -> datetime:
    """A time as the publisher gives it: in the shop's own zone, which is not stated."""
    return datetime.fromisoformat(time)


def figures_of(lines: Sequence[Line]) -> Figures:
    """The figures of some lines, counted in Python."""
    return Figures(
        lines=len(lines),
        quantity=sum(line.quantity for line in lines),
        price_thousandths=sum(round(line.price * 1000) for line in lines),
        invoices=len({line.invoice for line in lines}),
        stock_codes=len({line.stock_code for line in lines}),
        customers=len({line.customer for line in lines} - {None}),
        countries=len({line.country for line in lines}),
        lines_without_customer=sum(line.customer is None for line in lines),
        first_line_at=min(line.at for line in lines),
        last_line_at=max(line.at for line in lines),
    )


def workbook(
    first: Sequence[Row],
    second: Sequence[Row],
    *,
    sheets: Sequence[str] = SHEETS,
    header: Sequence[str] = tuple(COLUMNS),
) -> bytes:
    """A two-sheet workbook; digits-only text is stored as a number and a time as a serial day of 15 digits."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as parts:
        for name, content in _frame(sheets).items():
            parts.writestr(name, content)
        for number, rows in enumerate((first, second), start=1):
            parts.writestr(f"xl/worksheets/sheet{number}.xml", _sheet([header, *rows]))
    return buffer.getvalue()


def archive(content: bytes, name: str = WORKBOOK) -> bytes:
    """A ZIP archive with one member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr(name, content)
    return buffer.getvalue()


def _sheet(rows: Sequence[Row]) -> str:
    body = ""
    for number, row in enumerate(rows, start=1):
        cells = [_cell(f"{column}{number}", value) for column, value in zip("ABCDEFGH", row, strict=True)]
        body += f'<row r="{number}">{"".join(cells)}</row>'
    return f'<worksheet xmlns="{MAIN}"><dimension ref="A1:H{len(rows)}"/><sheetData>{body}</sheetData></worksheet>'


def _cell(reference: str, value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        since = value - local("1899-12-30")
        return f'<c r="{reference}" s="1"><v>{since.days + since.seconds / 86400:.10f}</v></c>'
    if isinstance(value, float):
        return f'<c r="{reference}"><v>{value:.17g}</v></c>'
    if isinstance(value, int) or (value.isdecimal() and not value.startswith("0")):
        return f'<c r="{reference}"><v>{value}</v></c>'
    return f'<c r="{reference}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'


def _frame(sheets: Sequence[str]) -> dict[str, str]:
    numbered = list(enumerate(sheets, start=1))
    parts = [("/xl/workbook.xml", "sheet.main"), ("/xl/styles.xml", "styles")]
    parts += [(f"/xl/worksheets/sheet{number}.xml", "worksheet") for number, _ in numbered]
    overrides = "".join(f'<Override PartName="{part}" ContentType="{SHEET_TYPE}.{kind}+xml"/>' for part, kind in parts)
    named = "".join(f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>' for number, name in numbered)
    targets = [(f"rId{number}", "worksheet", f"worksheets/sheet{number}.xml") for number, _ in numbered]
    formats = '<cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>'
    return {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>',
        "_rels/.rels": _relationships([("rId1", "officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{named}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _relationships([*targets, ("rId9", "styles", "styles.xml")]),
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}">{formats}</styleSheet>',
    }


def _relationships(targets: Sequence[tuple[str, str, str]]) -> str:
    inside = "".join(f'<Relationship Id="{key}" Type="{OFFICE}/{kind}" Target="{to}"/>' for key, kind, to in targets)
    return f'<Relationships xmlns="{PACKAGE}/relationships">{inside}</Relationships>'
