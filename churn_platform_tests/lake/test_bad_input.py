"""Bad files: a clear error and nothing half landed, or one row in quarantine and the rest in the lake."""

import gzip
import io
import resource
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churn_platform.errors import InputError
from churn_platform.lake.ingest import FileReport, ingest, look
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.reader import create_raw_events_view
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import ARRIVED, at, events, mapping_of, quarantined

Write = Callable[[str, bytes | str], Path]
Land = Callable[..., FileReport]

HEADER = "user,time,type,qty,price\n"
GOOD = "u,2024-03-01 10:00:00,purchase,2,1.5\n"


def parquet_bytes() -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({"user": ["u"] * 2000, "time": [at(2024, 3, 1)] * 2000, "type": ["view"] * 2000,
                  "qty": [1] * 2000, "price": [1.0] * 2000}).write_parquet(buffer)  # fmt: skip
    return buffer.getvalue()


PARQUET = parquet_bytes()
PACKED = gzip.compress((HEADER + GOOD * 5000).encode(), mtime=0)


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("empty.csv", b"", ["empty.csv", "0 bytes"]),
        ("header.csv", HEADER.encode(), ["header.csv", "no rows"]),
        ("blank.csv", b"\n\n", ["blank.csv", "no text"]),
        ("blank.jsonl", b"\n \n", ["blank.jsonl", "no text"]),
        ("empty.csv.gz", gzip.compress(b"", mtime=0), ["no text"]),
        ("notes.txt", b"hello", ["'.txt'", ".parquet", "[source]"]),
        ("workbook.csv", b"PK\x03\x04" + b"x" * 50, ["workbook.csv", "Excel"]),
        ("really.csv", PARQUET, ["really.csv", "found Parquet"]),
        ("really.parquet", (HEADER + GOOD).encode(), ["really.parquet", "expected Parquet"]),
        ("really.csv.gz", (HEADER + GOOD).encode(), ["really.csv.gz", "expected gzip"]),
        ("really.jsonl", gzip.compress(b"{}", mtime=0), ["found gzip"]),
        ("cut.parquet", PARQUET[: len(PARQUET) // 2], ["cut.parquet", "cut off"]),
        ("damaged.parquet", PARQUET[:40] + b"\xff" * (len(PARQUET) - 44) + PARQUET[-4:],
         ["damaged.parquet", "cannot be read"]),
        ("cut.csv.gz", PACKED[: len(PACKED) // 2], ["cut.csv.gz", "not a whole gzip"]),
        ("nul.csv", (HEADER + GOOD + "u\0,2024-03-01,view,,\n").encode(), ["nul.csv line 3", "NUL"]),
        ("nul.csv.gz", gzip.compress(b"a,b\n1,\0\n", mtime=0), ["line 2", "NUL"]),
        ("junk.csv", bytes(range(128, 256)) * 20, ["junk.csv line 1", "not utf-8"]),
        ("twice.csv", b"user,time,User\n1,2,3\n", ["'User' occurs twice"]),
        ("columns.csv", b"usr,time,type,qty,price\n" + GOOD.encode(),
         ["columns.user_id", "columns.csv", "'user'", "Did you mean 'usr'?", "price"]),
        ("keys.jsonl", b'{"usr": 1, "time": "2024-03-01"}\n', ["columns.user_id", "keys.jsonl", "Did you mean 'usr'?"]),
        ("half.csv", (HEADER + GOOD * 3 + "u,2024-03-01 1").encode(),
         ["half.csv line 5", "half written", "2024-03-01 1"]),
        ("half.csv.gz", gzip.compress((HEADER + GOOD * 3 + "u,2024-03-01 1").encode(), mtime=0),
         ["line 5", "half written"]),
        ("half.jsonl", b'{"user": 1, "time": "2024-03-01", "type": "view", "qty": 1, "price": 1}\n{"user": 2, "ti',
         ["half.jsonl line 2", "half written"]),
        ("quote.csv", (HEADER + GOOD * 3 + 'u,"2024' + GOOD * 3).encode(), ["quote.csv line 5", "quote"]),
        ("quote_end.csv", (HEADER + GOOD * 3 + 'u,"2024').encode(), ["quote_end.csv line 5", "half written"]),
        ("mixed.csv", (HEADER + GOOD.replace("\n", "\r\n") * 3 + GOOD * 3).encode(), ["mixed.csv", "line ends"]),
        ("dates.csv", (HEADER + GOOD + "u,31/31/2024,view,,\n" * 2).encode(),
         ["dates.csv", "2 of 3 rows", "line 3", "'31/31/2024'", "ISO 8601", "max_rejected_share"]),
        ("nobody.csv", (HEADER + ",2024-03-01,view,,\n").encode(), ["1 of 1 rows", "missing user_id"]),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_whole(
    name: str, content: bytes, parts: list[str], write: Write, land: Land, home: Home
) -> None:
    with pytest.raises(InputError) as raised:
        land(write(name, content))
    for part in parts:
        assert part in str(raised.value)
    assert Ledger(home).fragments() == []
    assert not list(home.events.rglob("*.parquet"))
    assert not list(home.quarantine.rglob("*.parquet"))
    assert not list((home.lake / ".staging").glob("*"))
    assert '"kind": "rejected"' in home.ledger_file.read_text().splitlines()[-1]


def test_a_missing_file_is_named(home: Home, land: Land) -> None:
    with pytest.raises(InputError, match=r"nothing\.csv does not exist"):
        land(home.root / "nothing.csv")


def test_a_number_that_is_no_time_says_how_to_declare_it(tmp_path: Path, land: Land) -> None:
    pl.DataFrame({"user": [1], "time": [1717198200], "type": ["view"], "qty": [1], "price": [1]}).write_parquet(
        tmp_path / "a.parquet"
    )
    with pytest.raises(InputError, match="epoch_ms"):
        land(tmp_path / "a.parquet")


def test_an_expression_that_does_not_fit_names_its_key(tmp_path: Path, land: Land) -> None:
    pl.DataFrame({"user": [1], "time": [at(2024, 1, 1)], "flag": [[1]]}).write_parquet(tmp_path / "a.parquet")
    mapping = mapping_of({"user_id": "user", "event_time": "time", "event_type": "'view'", "amount": "flag * 2"})
    with pytest.raises(InputError, match=r"columns\.amount: the expression does not fit"):
        land(tmp_path / "a.parquet", mapping)


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        (",2024-03-01,view,,", "missing user_id", None),
        ("  ,2024-03-01,view,,", "missing user_id", None),
        ("u,,view,,", "missing event_time", None),
        ("u,2024-13-01,view,,", "unreadable event_time", "2024-13-01"),
        ("u,infinity,view,,", "unreadable event_time", "infinity"),
        ("u,1970-01-01,view,,", "event_time too early", "1970-01-01"),
        ("u,2099-01-01,view,,", "event_time in the future", "2099-01-01"),
        ("u,2024-03-01,,,", "missing event_type", None),
        ("u,2024-03-01,view,two,", "unreadable quantity", "two"),
        ("u,2024-03-01,view,1,1e40", "unreadable unit_price", "1e40"),
        ("u,2024-03-01,view,1", "ragged row", "u,2024-03-01,view,1"),
        ("u,2024-03-01,view,1,2,3", "ragged row", "u,2024-03-01,view,1,2,3"),
        ("u,2024-03-01,view,1,\"2\"x", "broken quoting", 'u,2024-03-01,view,1,"2"x'),
        ("u" * 2_100_000 + ",2024-03-01,view,1,", "line too long", None),
    ],
)  # fmt: skip
def test_a_bad_row_is_quarantined_with_its_line_and_the_rest_lands(
    row: str, reason: str, detail: str | None, write: Write, land: Land, home: Home
) -> None:
    report = land(write("a.csv", f"{HEADER}{GOOD}{row}\n{GOOD}"))
    assert (report.rows, report.quarantined, report.reasons) == (2, 1, {reason: 1})
    assert events(home, "source_row") == [(1,), (3,)]
    ((source_row, found, text, original),) = quarantined(home, report.fingerprint)
    assert (source_row, found) == (2, reason)
    if detail is not None:
        assert text == detail
        assert detail.replace('"', '\\"') in str(original)


def test_a_line_that_is_not_in_the_declared_encoding_costs_its_row(write: Write, land: Land, home: Home) -> None:
    content = (HEADER + GOOD * 12000 + "é" + GOOD).encode("latin-1")
    report = land(write("a.csv", content), mapping_of(encoding="utf-8"))
    assert (report.rows, report.reasons) == (12000, {"invalid encoding": 1})
    ((row, *_),) = quarantined(home, report.fingerprint)
    assert row == 12001


def test_of_mixed_encodings_the_other_lines_are_quarantined(write: Write, land: Land, home: Home) -> None:
    lines = [("é" + GOOD).encode(), ("ü" + GOOD).encode("cp1252"), GOOD.encode(), ("ö" + GOOD).encode("cp1252")]
    report = land(write("a.csv", HEADER.encode() + b"".join(lines)))
    assert (report.rows, report.reasons) == (2, {"invalid encoding": 2})
    assert [row[0] for row in quarantined(home, report.fingerprint)] == [2, 4]
    assert events(home, "user_id") == [("éu",), ("u",)]
    with pytest.raises(InputError, match="invalid encoding: 2"):
        land(write("b.csv", HEADER.encode() + b"".join(lines[:2]) + lines[3]))


def test_a_header_in_another_encoding_than_declared_is_named(write: Write, land: Land) -> None:
    with pytest.raises(InputError, match="line 1 is not utf-8 text: byte 0xe9"):
        land(write("a.csv", ("é" + HEADER + GOOD).encode("latin-1")), mapping_of(encoding="utf-8"))


def test_bytes_that_a_declared_encoding_does_not_have_are_named_with_their_line(
    write: Write, land: Land, home: Home
) -> None:
    content = (HEADER + GOOD).encode() + b"\x81" + GOOD.encode()
    with pytest.raises(InputError, match="line 3 is not cp1252 text: byte 0x81"):
        land(write("a.csv", content), mapping_of(encoding="cp1252"))
    assert Ledger(home).fragments() == []


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "whole.csv"])
def test_a_line_of_200_mb_is_refused_in_little_memory(name: str, tmp_path: Path, land: Land, home: Home) -> None:
    begin = "" if name == "whole.csv" else HEADER + GOOD
    path = tmp_path / name
    with gzip.open(path, "wb", compresslevel=1) if name.endswith(".gz") else path.open("wb") as file:
        file.write(begin.encode())
        for _ in range(200):
            file.write(b"x" * 1_000_000)
        file.write(b"\n" + GOOD.encode())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=rf"{name} line {begin.count(chr(10)) + 1} is longer than 16 MB"):
        land(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 120_000
    assert Ledger(home).fragments() == []


@pytest.mark.parametrize("megabytes", [1, 40])
def test_a_quote_that_is_never_closed_refuses_the_file_however_long_it_goes_on(
    megabytes: int, tmp_path: Path, land: Land, home: Home
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + GOOD + 'u,"2024-03-01 10:00:00,purchase,2,1.5\n' + GOOD * (megabytes * 27_000))
    with pytest.raises(InputError, match="line 3: a quote is opened and never closed"):
        land(path)
    assert Ledger(home).fragments() == []


def test_a_cut_zstd_stream_is_refused(write: Write, land: Land, home: Home) -> None:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write((HEADER + GOOD * 5000).encode())
    whole = bytes(sink.getvalue())
    assert land(write("whole.csv.zst", whole)).rows == 5000
    for cut in (len(whole) // 2, len(whole) - 1):
        with pytest.raises(InputError, match=r"cut\.csv\.zst is not a whole zstd stream"):
            land(write("cut.csv.zst", whole[:cut]))
    assert len(Ledger(home).landed()) == 1


def test_a_number_inside_an_expression_that_cannot_be_read_is_quarantined(write: Write, land: Land, home: Home) -> None:
    mapping = mapping_of({"user_id": "user", "event_time": "time", "event_type": "type", "amount": "qty * price"})
    report = land(write("a.csv", HEADER + GOOD + "u,2024-03-01,view,2,free\n" + "u,2024-03-01,view,2,\n"), mapping)
    assert report.reasons == {"unreadable number": 1}
    assert [row[2] for row in quarantined(home, report.fingerprint)] == ["free"]


@pytest.mark.parametrize("formula", ["=HYPERLINK(A1)", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "=1+1"])
def test_a_formula_is_text_that_lands_as_it_is_and_is_never_a_number(
    formula: str, write: Write, land: Land, home: Home
) -> None:
    columns = {"user_id": "user", "event_time": "time", "event_type": "'view'", "text": "note", "quantity": "qty"}
    rows = f"u;2024-03-01;{formula};1\nu;2024-03-01;x;{formula}\n"
    report = land(write("a.csv", "user;time;note;qty\n" + rows), mapping_of(columns))
    assert events(home, '"text"') == [(formula,)]
    assert report.reasons == {"unreadable quantity": 1}


def test_json_that_nests_without_end_costs_its_line(write: Write, land: Land, home: Home) -> None:
    good = '{"user": 1, "time": "2024-03-01", "type": "view", "qty": 2, "price": 0.5}\n'
    deep = '{"user": ' + "[" * 500_000 + "]" * 500_000 + "}\n"
    mapping = mapping_of(max_rejected_share=0.9)
    report = land(write("a.jsonl", good + deep + good), mapping)
    assert report.rows + report.quarantined == 3
    assert (1,) in events(home, "source_row") and (3,) in events(home, "source_row")


def test_json_lines_that_are_no_objects_are_quarantined_by_line(write: Write, land: Land, home: Home) -> None:
    good = '{"user": 13085, "time": "2024-03-01T10:00:00Z", "type": "view", "qty": 2, "price": 0.5}\n'
    report = land(write("a.jsonl", f"{good}\n[1]\n{good}broken\n{good}"))
    assert (report.rows, report.reasons) == (3, {"broken JSON": 2})
    assert [row[:3] for row in quarantined(home, report.fingerprint)] == [
        (3, "broken JSON", "[1]"), (5, "broken JSON", "broken"),
    ]  # fmt: skip
    assert events(home, "source_row, user_id, amount") == [(1, "13085", 1), (4, "13085", 1), (6, "13085", 1)]


@pytest.mark.parametrize("control", ["\x01", "\x02", "\x1e", "\x1f", "\x7f"])
def test_a_control_character_costs_its_json_line_only(control: str, write: Write, land: Land, home: Home) -> None:
    good = '{"user": "u", "time": "2024-03-01", "type": "view", "qty": 2, "price": 0.5}'
    bad = [f"{control}{good}", f"{{{control}{good[1:]}", f"{good}{control}"]
    report = land(write("a.jsonl", "\n".join([good, *bad, good]) + "\n"), mapping_of(max_rejected_share=0.9))
    assert (report.rows, report.reasons) == (2, {"broken JSON": 3})
    assert [row[:3] for row in quarantined(home, report.fingerprint)] == [
        (number, "broken JSON", line) for number, line in enumerate(bad, start=2)
    ]


def test_a_key_that_only_late_lines_have_is_found(write: Write, land: Land, home: Home) -> None:
    line = '{"user": "u", "time": "2024-03-01", "type": "view", "price": 1}\n'
    report = land(write("a.jsonl", line * 1500 + line.replace("}", ', "qty": 3}')))
    assert report.rows == 1501
    assert events(home, "quantity")[-1] == (3,)


def test_at_the_limit_a_file_lands_and_above_it_does_not(write: Write, land: Land) -> None:
    bad = ",2024-03-01,view,,\n"
    assert land(write("at.csv", HEADER + GOOD * 3 + bad), mapping_of(max_rejected_share=0.25)).quarantined == 1
    with pytest.raises(InputError, match=r"max_rejected_share = 0\.25"):
        land(write("above.csv", HEADER + GOOD * 5 + bad * 2), mapping_of(max_rejected_share=0.25))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("u,01/03/2024,view,1,\nu,13/03/2024,view,1,\n", ["2 of 2 rows", "line 2: unreadable event_time '01/03/2024'"]),
        (",2024-03-01,view,,\n", ["1 of 1 rows", "missing user_id: 1"]),
        ("u,2024-03-01\n", ["ragged row: 1"]),
        ("", ["header but no rows"]),
    ],
)
def test_looking_at_a_file_that_cannot_land_says_why(rows: str, told: list[str], write: Write, home: Home) -> None:
    with pytest.raises(InputError, match=r"a\.csv") as refused:
        look(write("a.csv", HEADER + rows), "history", mapping_of(time_format="%Y-%m-%d"), home, "UTC", ARRIVED)
    for part in told:
        assert part in str(refused.value)
    assert not Ledger(home).landed() and not list(home.lake.glob(".look-*"))


def test_record_numbers_hold_in_a_file_read_in_parallel(write: Write, land: Land, home: Home) -> None:
    padding, count = "u" * 80, 350_000
    rows = [f"{padding}{number},2024-03-01,view,{number},1" for number in range(1, count + 1)]
    bad = [7, 8, 100_000, 277_777, count]
    for number in bad:
        rows[number - 1] += ",one too many"
    report = land(write("a.csv", HEADER + "\n".join(rows) + "\n"))
    assert (report.rows, report.reasons) == (count - len(bad), {"ragged row": len(bad)})
    assert [row[0] for row in quarantined(home, report.fingerprint)] == bad
    with duckdb.connect() as connection:
        create_raw_events_view(connection, Ledger(home).fragments())
        wrong = connection.execute(
            "SELECT count(*) FROM raw_events WHERE user_id <> ? || source_row", [padding]
        ).fetchall()
    assert wrong == [(0,)]


CELLS = st.sampled_from(
    ["", "u", "7", "-3", "1.5", "2024-03-01", "2024-03-01 10:00:00", "x", "view", "purchase", "é", '"q, r"']
)
LINES = st.lists(st.lists(CELLS, min_size=2, max_size=7).map(",".join), min_size=1, max_size=12)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES, kept=st.integers(1, 3))
def test_every_record_lands_or_is_quarantined_with_its_line(
    lines: list[str], kept: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("law")
    good = [GOOD.strip()] * kept
    path = folder / "a.csv"
    path.write_text(HEADER + "\n".join([*good, *lines]) + "\n", encoding="utf-8")
    home = Home(folder / "home").create()
    report = ingest(path, "history", mapping_of(max_rejected_share=1.0), home, "UTC", ARRIVED)
    landed = [row for (row,) in events(home, "source_row")]
    bad = quarantined(home, report.fingerprint) if report.quarantined else []
    assert sorted(int(str(row)) for row in [*landed, *(row[0] for row in bad)]) == list(range(1, kept + len(lines) + 1))
    assert (len(landed), len(bad)) == (report.rows, report.quarantined)
    for row, reason, detail, _ in bad:
        if reason == "ragged row":
            assert detail == [*good, *lines][int(str(row)) - 1]
