"""Online Retail II: every invoice line of a UK gift shop, 2009-12-01 to 2011-12-09.

Source: Chen, D. (2012), Online Retail II, UCI Machine Learning Repository, doi 10.24432/C5CG6D, CC BY 4.0. The project
does not carry the data: it uses a Parquet file that lies in CHURN_DATASETS, or makes one from the publisher's workbook.
"""

import glob
import hashlib
import os
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Final

import duckdb

from churn_platform.errors import InputError
from churn_platform.extensions import connect_offline, extension_file, load_extension

DOWNLOAD_URL: Final = "https://archive.ics.uci.edu/static/public/502/online+retail+ii.zip"
ARCHIVE: Final = "online+retail+ii.zip"
WORKBOOK: Final = "online_retail_II.xlsx"
READING: Final = f"Reading {WORKBOOK}"
SHEETS: Final = ("Year 2009-2010", "Year 2010-2011")
PARQUET: Final = "online_retail_ii.parquet"
PARQUET_SHA256: Final = "beab4c6ec6dab3745bf04307e9905b0f6d0952724e59de89655645462ec3fcc5"
COLUMNS: Final = {
    "Invoice": "VARCHAR",
    "StockCode": "VARCHAR",
    "Description": "VARCHAR",
    "Quantity": "INTEGER",
    "InvoiceDate": "TIMESTAMP",
    "Price": "DOUBLE",
    "Customer ID": "INTEGER",
    "Country": "VARCHAR",
}
SILENCE_SECONDS: Final = 60
BLOCK: Final = 1024 * 1024

Progress = Callable[[int, int | None], None]
"""Called with the bytes received so far and the bytes expected (None if the server does not say)."""


@dataclass(frozen=True)
class Figures:
    """What identifies the content whatever the order of its lines.

    `quantity` sums units; `price_thousandths` sums unit prices in thousandths of a pound, each rounded first; the next
    four count distinct values; times are UK local time. Descriptions are not covered: they carry no identity.
    """

    lines: int
    quantity: int
    price_thousandths: int
    invoices: int
    stock_codes: int
    customers: int
    countries: int
    lines_without_customer: int
    first_line_at: datetime
    last_line_at: datetime


PUBLISHED_FIGURES: Final = Figures(
    lines=1_044_848,
    quantity=10_441_844,
    price_thousandths=4_796_422_878,
    invoices=53_628,
    stock_codes=5_305,
    customers=5_942,
    countries=43,
    lines_without_customer=235_287,
    first_line_at=datetime.fromisoformat("2009-12-01 07:45"),
    last_line_at=datetime.fromisoformat("2011-12-09 12:50"),
)


def fetch(
    target_folder: Path,
    *,
    datasets: Path,
    url: str = DOWNLOAD_URL,
    sha256: str = PARQUET_SHA256,
    figures: Figures = PUBLISHED_FIGURES,
    progress: Progress | None = None,
) -> Path:
    """Give the path of a verified `online_retail_ii.parquet`: one row per invoice line, the columns of `COLUMNS`.

    The first that exists is used: `datasets/online_retail_ii.parquet` in place, if its SHA-256 is `sha256`; what an
    earlier call left in `target_folder`; the publisher's archive, put into `datasets` by hand; the download from `url`.
    All but the first are verified by `figures`. The file appears in `target_folder` whole and verified or not at all.

    Raises:
        InputError: a file or the download is not the expected one, cannot be read, or cannot be downloaded.
        UsageError: the DuckDB extension that reads workbooks is not installed.
    """
    given, made, archive = datasets / PARQUET, target_folder / PARQUET, datasets / ARCHIVE
    if given.is_file():
        _check_sha256(given, sha256)
        return given
    if made.is_file():
        _check_content(made, figures, f"{made}, made by an earlier download,", f"Delete {made} to download it again.")
        return made
    extension_file("excel", READING)
    target_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{made.stem}-", dir=target_folder) as scratch:
        if archive.is_file():
            source, remedy = str(archive), f"Remove or replace {archive}."
        else:
            source = url
            remedy = f"Try again, or put a good {ARCHIVE} or {PARQUET} into CHURN_DATASETS ({datasets})."
            archive = _download(url, Path(scratch) / ARCHIVE, datasets, progress)
        workbook = _unpack(archive, Path(scratch) / WORKBOOK, source, remedy)
        parquet = _convert(workbook, Path(scratch) / PARQUET, source, remedy)
        _check_content(parquet, figures, f"The data from {source}", remedy)
        parquet.replace(made)
    return made


def _check_sha256(file: Path, expected: str) -> None:
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != expected:
        raise InputError(
            f"{file} is not the known {PARQUET}.\n  SHA-256: expected {expected}, found {found}\n"
            f"Replace it, or move it away: then the publisher's workbook is downloaded."
        )


def _check_content(file: Path, expected: Figures, what: str, remedy: str) -> None:
    with connect_offline() as connection:
        try:
            lines = connection.read_parquet(glob.escape(str(file)))
            columns = {name: str(kind) for name, kind in zip(lines.columns, lines.types, strict=True)}
            if columns != COLUMNS:
                raise InputError(f"{what} has other columns.\n  expected {COLUMNS}\n  found {columns}\n{remedy}")
            row = connection.execute(
                _query("online_retail_ii_figures"), {"parquet": glob.escape(str(file))}
            ).fetchall()[0]
        except duckdb.Error as error:
            raise InputError(f"{what} is not a readable Parquet file: {error}\n{remedy}") from error
    differences = [
        f"  {field.name}: expected {_shown(wanted)}, found {_shown(found)}"
        for field, found in zip(fields(Figures), row, strict=True)
        if (wanted := getattr(expected, field.name)) != found
    ]
    if differences:
        raise InputError("\n".join([f"{what} is not Online Retail II as published.", *differences, remedy]))


def _shown(figure: int | datetime | None) -> str:
    return f"{figure:,}" if isinstance(figure, int) else str(figure)


def _download(url: str, target: Path, datasets: Path, progress: Progress | None) -> Path:
    try:
        with urllib.request.urlopen(url, timeout=SILENCE_SECONDS) as response:  # noqa: S310 - a constant, or a caller's own
            _store(response, target, progress)
    except (OSError, HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise InputError(
            f"Online Retail II could not be downloaded.\n  tried: {url}\n  failed with: {error!r}\n"
            f"It is looked for first in CHURN_DATASETS ({datasets}), where there is neither {PARQUET} nor {ARCHIVE}. "
            f"Check the network and try again, or download {url} by other means and put it there as {ARCHIVE}."
        ) from error
    return target


def _store(response: HTTPResponse, target: Path, progress: Progress | None) -> None:
    expected = response.length
    received = 0
    with target.open("wb") as file:
        while block := response.read(BLOCK):
            file.write(block)
            received += len(block)
            if progress is not None:
                progress(received, expected)
    if expected is not None and received != expected:
        raise ConnectionError(f"the connection ended after {received:,} of {expected:,} bytes")


def _unpack(archive: Path, target: Path, source: str, remedy: str) -> Path:
    try:
        with zipfile.ZipFile(archive) as members:
            if WORKBOOK not in members.namelist():
                inside = ", ".join(members.namelist()) or "nothing"
                raise InputError(f"{source} holds no {WORKBOOK}; it holds: {inside}. {remedy}")
            with members.open(WORKBOOK) as packed, target.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, BLOCK)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"{source} is not a readable ZIP archive with {WORKBOOK} in it: {error}. {remedy}") from error
    return target


def _convert(workbook: Path, target: Path, source: str, remedy: str) -> Path:
    sheets = {"workbook": str(workbook), "first_sheet": SHEETS[0], "second_sheet": SHEETS[1]}
    with connect_offline() as connection:
        load_extension(connection, "excel", READING)
        try:
            lines = connection.sql(_query("online_retail_ii"), params=sheets)
            lines.write_parquet(str(target), compression="zstd")
        except duckdb.Error as error:
            raise InputError(
                f"{WORKBOOK} from {source} cannot be read. Expected the sheets {SHEETS[0]!r} and {SHEETS[1]!r} with "
                f"the columns {', '.join(COLUMNS)}.\n{error}\n{remedy}"
            ) from error
    with target.open("r+b") as written:
        os.fsync(written.fileno())
    return target


def _query(name: str) -> str:
    return (Path(__file__).parent / f"{name}.sql").read_text("utf-8")
