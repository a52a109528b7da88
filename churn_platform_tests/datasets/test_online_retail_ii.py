import hashlib
import importlib.util
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from churn_platform.datasets import online_retail_ii
from churn_platform.datasets.online_retail_ii import ARCHIVE, COLUMNS, PARQUET, PARQUET_SHA256, SHEETS, WORKBOOK, fetch
from churn_platform.errors import InputError, UsageError
from churn_platform.settings import environment
from churn_platform_tests.datasets.publisher import (
    CUT_CHUNK,
    CUT_SHORT,
    GONE,
    GOOD,
    NO_LENGTH,
    Publisher,
    publisher,
)
from churn_platform_tests.datasets.retail_workbook import Line, archive, figures_of, local, workbook

OLD = [
    Line("489434", "85048", " WHITE CHERRY LIGHTS ", 12, local("2009-12-01 07:45"), 6.95, 13085, "United Kingdom"),
    Line("489434", "79323P", "GIFT VOUCHER £40 & <BOX>", 12, local("2009-12-01 07:45"), 0.001, 13085, "United Kingdom"),
    Line("C489449", "22087", None, -3, local("2010-11-30 23:59"), 2.1, 16321, "Australia"),
    Line("A506401", "B", "22467", 1, local("2010-04-29 13:36"), -53594.36, None, "EIRE"),
]
SHARED = [
    Line("536365", "85123A", "HEART", 6, local("2010-12-01 00:00"), 2.55, 17850, "United Kingdom"),
    Line("536365", "85123A", "HEART", 6, local("2010-12-01 00:00"), 2.55, 17850, "United Kingdom"),
    Line("536366", "POST", "POSTAGE", 1, local("2010-12-09 20:01"), 18, None, "France"),
]
NEW = [Line("581587", "22138", "BAKING SET 9 PIECE", 3, local("2011-12-09 12:50"), 4.95, 12680, "France")]
LINES = [*OLD, *SHARED, *NEW]
FIGURES = figures_of(LINES)
CONTENT = workbook([*OLD, *SHARED], [*SHARED, *NEW])


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with publisher() as serving:
        serving.content = archive(CONTENT)
        yield serving


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "home" / "source"


@pytest.fixture
def datasets(tmp_path: Path) -> Path:
    folder = tmp_path / "datasets"
    folder.mkdir()
    return folder


def lines_of(parquet: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(":memory:") as connection:
        return connection.read_parquet(str(parquet)).fetchall()


def in_order(lines: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted(lines, key=repr)


def as_published(lines: Sequence[Line]) -> list[tuple[object, ...]]:
    return in_order([tuple(line._replace(price=float(line.price))) for line in lines])


def write_parquet(path: Path, select: str) -> None:
    with duckdb.connect(":memory:") as connection:
        connection.sql(select).write_parquet(str(path))


@pytest.mark.parametrize("path", [GOOD, NO_LENGTH])
def test_a_download_becomes_the_parquet_file_without_the_overlap(
    served: Publisher, target: Path, datasets: Path, path: str
) -> None:
    steps: list[tuple[int, int | None]] = []
    made = fetch(
        target,
        datasets=datasets,
        url=served.url(path),
        figures=FIGURES,
        progress=lambda received, expected: steps.append((received, expected)),
    )
    assert made == target / PARQUET
    assert in_order(lines_of(made)) == as_published(LINES)
    assert list(target.iterdir()) == [made]
    assert steps[-1] == (len(served.content), len(served.content) if path == GOOD else None)


def test_columns_types_and_compression_are_those_of_the_known_file(
    served: Publisher, target: Path, datasets: Path
) -> None:
    made = fetch(target, datasets=datasets, url=served.url(), figures=FIGURES)
    with duckdb.connect(":memory:") as connection:
        lines = connection.read_parquet(str(made))
        assert dict(zip(lines.columns, map(str, lines.types), strict=True)) == COLUMNS
        codecs = connection.execute("SELECT DISTINCT compression FROM parquet_metadata($file)", {"file": str(made)})
        assert codecs.fetchall() == [("ZSTD",)]


def test_the_excel_extension_comes_from_the_package_not_from_the_users_folder(
    served: Publisher, target: Path, datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = tmp_path / "user"
    user.mkdir()
    monkeypatch.setenv("HOME", str(user))
    fetch(target, datasets=datasets, url=served.url(), figures=FIGURES)
    assert list(user.iterdir()) == []


def test_a_second_call_uses_what_the_first_made(served: Publisher, target: Path, datasets: Path) -> None:
    made = fetch(target, datasets=datasets, url=served.url(), figures=FIGURES)
    first = made.stat().st_mtime_ns
    assert fetch(target, datasets=datasets, url=served.url(), figures=FIGURES) == made
    assert (made.stat().st_mtime_ns, served.asked) == (first, [GOOD])


def test_an_archive_put_into_datasets_by_hand_needs_no_network(served: Publisher, target: Path, datasets: Path) -> None:
    by_hand = datasets / ARCHIVE
    by_hand.write_bytes(served.content)
    made = fetch(target, datasets=datasets, url=served.url(GONE), figures=FIGURES)
    assert in_order(lines_of(made)) == as_published(LINES)
    assert (served.asked, by_hand.read_bytes()) == ([], served.content)


def test_the_file_in_datasets_is_used_in_place(served: Publisher, target: Path, datasets: Path) -> None:
    given_file = datasets / PARQUET
    given_file.write_bytes(b"known bytes")
    sha256 = hashlib.sha256(b"known bytes").hexdigest()
    assert fetch(target, datasets=datasets, url=served.url(), sha256=sha256) == given_file
    assert (target.exists(), served.asked) == (False, [])


def test_a_file_in_datasets_with_another_checksum_is_refused(served: Publisher, target: Path, datasets: Path) -> None:
    given_file = datasets / PARQUET
    given_file.write_bytes(b"other bytes")
    with pytest.raises(InputError, match="Replace it, or move it away") as raised:
        fetch(target, datasets=datasets, url=served.url(), figures=FIGURES)
    for part in (str(given_file), PARQUET_SHA256, hashlib.sha256(b"other bytes").hexdigest()):
        assert part in str(raised.value)
    assert (target.exists(), served.asked) == (False, [])


@pytest.mark.parametrize(
    ("change", "figure"),
    [
        ({"quantity": 4}, "quantity: expected 38, found 39"),
        ({"price": 4.951}, "price_thousandths: expected -53,557,259, found -53,557,258"),
        ({"invoice": "536366"}, "invoices: expected 6, found 5"),
        ({"stock_code": "POST"}, "stock_codes: expected 7, found 6"),
        ({"customer": 13085}, "customers: expected 4, found 3"),
        ({"country": "Spain"}, "countries: expected 4, found 5"),
        (
            {"at": local("2011-12-09 12:51")},
            "last_line_at: expected 2011-12-09 12:50:00, found 2011-12-09 12:51:00",
        ),
    ],
)
def test_one_changed_cell_is_refused_and_only_its_figure_is_listed(
    served: Publisher, target: Path, datasets: Path, change: dict[str, object], figure: str
) -> None:
    changed = NEW[0]._replace(**change)  # type: ignore[arg-type]
    served.content = archive(workbook([*OLD, *SHARED], [*SHARED, changed]))
    with pytest.raises(InputError) as raised:
        fetch(target, datasets=datasets, url=served.url(), figures=FIGURES)
    listed = [line.strip() for line in str(raised.value).splitlines() if ": expected " in line]
    assert listed == [figure]
    assert str(datasets) in str(raised.value)
    assert list(target.iterdir()) == []


def test_an_overlap_that_stays_or_a_missing_line_is_refused(served: Publisher, target: Path, datasets: Path) -> None:
    for lines, found in ((len(LINES) - 1, len(LINES)), (len(LINES) + 1, len(LINES))):
        with pytest.raises(InputError, match=f"lines: expected {lines}, found {found}"):
            fetch(target, datasets=datasets, url=served.url(), figures=replace(FIGURES, lines=lines))
    assert list(target.iterdir()) == []


@pytest.mark.parametrize(
    ("select", "complaint"),
    [
        ("SELECT 1 AS other", "has other columns"),
        ('SELECT * REPLACE (CAST("Quantity" AS BIGINT) AS "Quantity") FROM good', "has other columns"),
        ("SELECT * FROM good LIMIT 3", f"lines: expected {len(LINES)}, found 3"),
        ("SELECT * FROM good LIMIT 0", "first_line_at: expected 2009-12-01 07:45:00, found None"),
    ],
)
def test_an_earlier_download_that_was_altered_is_refused_and_kept(
    served: Publisher, target: Path, datasets: Path, select: str, complaint: str
) -> None:
    made = fetch(target, datasets=datasets, url=served.url(), figures=FIGURES)
    good = made.rename(datasets / "good.parquet")
    write_parquet(made, select.replace("good", f"'{good}'"))
    with pytest.raises(InputError, match=complaint) as raised:
        fetch(target, datasets=datasets, url=served.url(), figures=FIGURES)
    assert f"Delete {made}" in str(raised.value)
    assert (made.exists(), served.asked) == (True, [GOOD])


def test_an_earlier_download_that_is_no_parquet_is_refused(served: Publisher, target: Path, datasets: Path) -> None:
    target.mkdir(parents=True)
    (target / PARQUET).write_bytes(b"half a file")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        fetch(target, datasets=datasets, url=served.url(), figures=FIGURES)
    assert served.asked == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [(CUT_SHORT, "connection ended after"), (CUT_CHUNK, "IncompleteRead"), (GONE, "HTTP Error 404")],
)
def test_a_download_that_breaks_off_or_is_gone_leaves_nothing(
    served: Publisher, target: Path, datasets: Path, path: str, reason: str
) -> None:
    with pytest.raises(InputError, match="could not be downloaded") as raised:
        fetch(target, datasets=datasets, url=served.url(path), figures=FIGURES)
    for part in (served.url(path), "CHURN_DATASETS", str(datasets), PARQUET, ARCHIVE):
        assert part in str(raised.value)
    assert reason in f"{raised.value} {raised.value.__cause__}"
    assert list(target.iterdir()) == []


def test_without_a_network_the_error_says_what_was_tried_and_what_to_do(target: Path, datasets: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/{ARCHIVE}"
        with pytest.raises(InputError, match="refused") as raised:
            fetch(target, datasets=datasets, url=url, figures=FIGURES)
    for part in (url, "CHURN_DATASETS", str(datasets), PARQUET, ARCHIVE):
        assert part in str(raised.value)
    assert list(target.iterdir()) == []


def test_an_interrupted_download_leaves_nothing_and_the_next_one_works(
    served: Publisher, target: Path, datasets: Path
) -> None:
    def interrupt(received: int, expected: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(target, datasets=datasets, url=served.url(), figures=FIGURES, progress=interrupt)
    assert list(target.iterdir()) == []
    made = fetch(target, datasets=datasets, url=served.url(), figures=FIGURES)
    assert in_order(lines_of(made)) == as_published(LINES)


def damaged(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"<html>Service unavailable</html>", "not a readable ZIP archive"),
        (damaged(archive(CONTENT)), "not a readable ZIP archive"),
        (archive(CONTENT, "readme.txt"), f"holds no {WORKBOOK}; it holds: readme.txt"),
        (archive(b"no workbook"), "cannot be read"),
        (archive(workbook(OLD, NEW, sheets=("Year 2009-2010", "Sheet2"))), f'"{SHEETS[1]}" not found'),
        (archive(workbook(OLD, NEW, header=[*list(COLUMNS)[:-1], "Land"])), 'column "Country" not found'),
        (archive(workbook(OLD, [(*NEW[0][:3], "three", *NEW[0][4:])])), "Could not convert string 'three' to INT32"),
    ],
)
def test_an_archive_that_is_not_the_publishers_is_refused(
    served: Publisher, target: Path, datasets: Path, content: bytes, complaint: str
) -> None:
    served.content = content
    with pytest.raises(InputError) as raised:
        fetch(target, datasets=datasets, url=served.url(), figures=FIGURES)
    assert complaint in str(raised.value)
    assert served.url() in str(raised.value)
    assert "CHURN_DATASETS" in str(raised.value)
    assert list(target.iterdir()) == []


def test_a_bad_archive_put_there_by_hand_is_named_and_kept(target: Path, datasets: Path) -> None:
    (datasets / ARCHIVE).write_bytes(b"half")
    with pytest.raises(InputError, match="not a readable ZIP archive") as raised:
        fetch(target, datasets=datasets, figures=FIGURES)
    assert f"Remove or replace {datasets / ARCHIVE}" in str(raised.value)
    assert (datasets / ARCHIVE).exists()


def test_an_extension_for_another_duckdb_is_refused_before_anything_is_downloaded(
    served: Publisher, target: Path, datasets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb, "__version__", "99.0.0")
    with pytest.raises(UsageError, match=r"holds another release. Install duckdb-extension-excel==99\.0\.0"):
        fetch(target, datasets=datasets, url=served.url(), figures=FIGURES)
    assert (target.exists(), served.asked) == (False, [])


def test_a_missing_extension_is_refused_before_anything_is_downloaded(
    served: Publisher, target: Path, datasets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="which is not installed"):
        fetch(target, datasets=datasets, url=served.url(), figures=FIGURES)
    assert (target.exists(), served.asked) == (False, [])


moments = st.integers(0, 20 * 24 * 60 - 1).map(lambda minutes: local("2010-11-20") + timedelta(minutes=minutes))
any_line = st.builds(
    Line,
    invoice=st.from_regex(r"[CA]?[1-9][0-9]{5}", fullmatch=True),
    stock_code=st.from_regex(r"[1-9][0-9]{4}[A-Z]?", fullmatch=True),
    description=st.none() | st.text("ABC 9&<£'\"", min_size=1, max_size=12).filter(str.strip),
    quantity=st.integers(-80_995, 80_995),
    at=moments,
    price=st.integers(-10_000_000, 10_000_000).map(lambda thousandths: thousandths / 1000),
    customer=st.none() | st.integers(12_346, 18_287),
    country=st.sampled_from(["EIRE", "France", "United Kingdom"]),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(any_line, min_size=1, max_size=12), st.integers(0, 10), st.integers(0, 10))
def test_however_far_the_sheets_overlap_every_line_comes_out_once(lines: list[Line], cut: int, overlap: int) -> None:
    ordered = sorted(lines, key=lambda line: line.at)
    second = ordered[min(cut, len(ordered) - 1) :]
    first_day = second[0].at.replace(hour=0, minute=0)
    second = [line for line in ordered if line.at >= first_day]
    first = [line for line in ordered if line.at < first_day + timedelta(days=overlap)]
    assume(first)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ARCHIVE).write_bytes(archive(workbook(first, second)))
        made = fetch(Path(folder) / "source", datasets=Path(folder), figures=figures_of(lines))
        assert in_order(lines_of(made)) == as_published(lines)


def test_the_published_figures_are_those_of_the_known_file(target: Path, datasets: Path) -> None:
    known = environment().datasets / PARQUET
    if not known.is_file():
        pytest.skip(f"{known} is not there")
    assert fetch(target, datasets=known.parent) == known
    target.mkdir(parents=True)
    (target / PARQUET).symlink_to(known)
    assert fetch(target, datasets=datasets) == target / PARQUET
    with pytest.raises(InputError, match=r"lines: expected 1,044,849, found 1,044,848"):
        fetch(target, datasets=datasets, figures=replace(online_retail_ii.PUBLISHED_FIGURES, lines=1_044_849))
