"""[join]: lines get the columns of their header, from files that hold headers and no events."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from churn_platform.errors import InputError
from churn_platform.lake.header_join import headers_path
from churn_platform.lake.ingest import FileReport, ingest, look
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import Mapping
from churn_platform.lake.source_file import fingerprint_of
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import ARRIVED, events, mapping_of, quarantined

Write = Callable[[str, bytes | str], Path]
Land = Callable[..., FileReport]

HEADERS = "id,customer,placed,note\n1,u1,2024-03-01 10:00:00,first\n2,u2,2024-03-02 11:00:00,second\n"
LINES = "line,order_id,sku,qty,note\na,1,s1,2,mine\nb,2,s2,1,mine\nc,1,s3,4,mine\n"
COLUMNS = {"event_id": "line", "user_id": "customer", "event_time": "placed", "event_type": "'purchase'",
           "order_id": "order_id", "item_id": "sku", "quantity": "qty", "text": "note"}  # fmt: skip


def joined(files: str = "orders*", on: dict[str, str] | None = None, **source: object) -> Mapping:
    plain = mapping_of(COLUMNS, **source)
    return Mapping.model_validate(plain.model_dump() | {"join": {"files": files, "on": on or {"order_id": "id"}}})


def test_lines_take_the_columns_of_their_header_and_keep_their_own(write: Write, land: Land, home: Home) -> None:
    kept = land(write("orders.csv", HEADERS), joined())
    assert (kept.status, kept.rows, kept.days) == ("headers", 2, {})
    assert Ledger(home).landed() == {}
    report = land(write("lines.csv", LINES), joined())
    assert (report.status, report.rows, report.quarantined) == ("landed", 3, 0)
    assert events(home, "user_id, hour(event_time), item_id, quantity, text") == [
        ("u1", 10, "s1", Decimal(2), "mine"),
        ("u2", 11, "s2", Decimal(1), "mine"),
        ("u1", 10, "s3", Decimal(4), "mine"),
    ]


def test_a_line_without_its_header_is_quarantined_with_its_text(write: Write, land: Land, home: Home) -> None:
    land(write("orders.csv", HEADERS), joined())
    report = land(write("lines.csv", f"{LINES}d,9,s1,1,x\ne,,s1,1,x\n"), joined())
    assert (report.rows, report.reasons) == (3, {"no header": 2})
    assert quarantined(home, report.fingerprint) == [
        (4, "no header", "9", '{"line":"d","order_id":"9","sku":"s1","qty":"1","note":"x"}'),
        (5, "no header", None, '{"line":"e","order_id":null,"sku":"s1","qty":"1","note":"x"}'),
    ]


def test_a_later_file_adds_keys_and_replaces_known_ones_for_what_comes_after(
    write: Write, land: Land, home: Home
) -> None:
    land(write("orders1.csv", HEADERS), joined())
    land(write("a.csv", LINES), joined())
    land(write("orders0.csv", "id,customer,placed,note\n2,moved,2024-03-05,\n3,u3,2024-03-06,\n"), joined())
    land(write("b.csv", "line,order_id,sku,qty,note\nd,2,s2,1,\ne,3,s2,1,\nf,1,s2,1,\n"), joined())
    assert events(home, "event_id, user_id") == [
        ("a", "u1"), ("b", "u2"), ("c", "u1"), ("d", "moved"), ("e", "u3"), ("f", "u1"),
    ]  # fmt: skip


def test_the_same_headers_twice_change_nothing(write: Write, land: Land, home: Home) -> None:
    path = write("orders.csv", HEADERS)
    first = land(path, joined())
    before = {file: file.read_bytes() for file in home.lake.rglob("*") if file.is_file()}
    assert land(path.rename(path.with_name("orders_again.csv")), joined()).fingerprint == first.fingerprint
    assert {file: file.read_bytes() for file in home.lake.rglob("*") if file.is_file()} == before


def test_a_corrected_key_counts_for_the_headers_that_are_kept_already(write: Write, land: Land, home: Home) -> None:
    header = "row,id,customer,placed\n1,2,anna,2024-03-01\n2,3,bert,2024-03-02\n3,1,carl,2024-03-03\n"
    path, lines = write("orders.csv", header), "line,order_id,sku,qty,note\n"
    land(path, joined(on={"order_id": "row"}))
    land(write("a.csv", f"{lines}a,1,s,1,\nb,2,s,1,\n"), joined())
    land(path, joined())
    land(write("b.csv", f"{lines}c,1,s,1,\nd,3,s,1,\n"), joined())
    assert events(home, "event_id, user_id") == [("a", "carl"), ("b", "anna"), ("c", "carl"), ("d", "bert")]


def test_a_kept_header_file_that_the_corrected_key_does_not_fit_is_named(write: Write, land: Land, home: Home) -> None:
    path = write("orders.jsonl", '{"row": 1, "to": {"id": 7}, "customer": "u", "placed": "2024-03-01", "same": 1}\n'
                 '{"row": 2, "to": {"id": 8}, "customer": "v", "placed": "2024-03-01", "same": 1}\n')  # fmt: skip
    land(path, joined(on={"order_id": "row"}))
    lines = write("lines.csv", "line,order_id,sku,qty,note\na,7,s,1,\nb,1,s,1,\n")
    with pytest.raises(InputError, match=r"orders\.jsonl: same = '1' stands in 2 rows"):
        land(lines, joined(on={"order_id": "same"}))
    with pytest.raises(InputError, match=r"join\.on\.order_id: orders\.jsonl has no column 'to\.id'"):
        land(lines, joined(on={"order_id": "to.id"}))
    nested = {"columns": COLUMNS | {"channel": "to.id"}, "join": {"files": "orders*", "on": {"order_id": "to.id"}}}
    corrected = Mapping.model_validate(joined().model_dump() | nested)
    land(path, corrected)
    assert land(lines, corrected).reasons == {"no header": 1}
    assert events(home, "event_id, user_id") == [("a", "u")]


def test_a_home_whose_path_looks_like_a_pattern(write: Write, tmp_path: Path) -> None:
    home = Home(tmp_path / "shop[1]*").create()
    write("orders.csv", HEADERS + ",u3,2024-03-03,\n")
    write("lines.csv", f"{LINES}d,9,s1,1,x\n")
    mapping = joined(max_rejected_share=0.5)
    for name in ("orders.csv", "lines.csv"):
        report = ingest(tmp_path / name, "history", mapping, home, "UTC", ARRIVED)
        assert (report.rows, report.quarantined) == ({"orders.csv": 2, "lines.csv": 3}[name], 1)
    assert events(home, "event_id, user_id") == [("a", "u1"), ("b", "u2"), ("c", "u1")]


def test_what_a_kill_left_of_a_header_file_counts_for_nothing(write: Write, land: Land, home: Home) -> None:
    path = write("orders.csv", HEADERS)
    left = headers_path(home, fingerprint_of(path))
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half a file")
    with pytest.raises(InputError, match="no header file has landed"):
        land(write("lines.csv", LINES), joined())
    land(path, joined())
    assert land(write("lines.csv", LINES), joined()).rows == 3


def test_headers_of_any_format_meet_lines_of_any_other(write: Write, tmp_path: Path, land: Land, home: Home) -> None:
    mapping = Mapping.model_validate(joined().model_dump() | {"columns": COLUMNS | {"channel": "to.city"}})
    frame = pl.DataFrame({"id": [1.0], "customer": [13085], "placed": ["2024-03-01"]})
    frame.write_parquet(tmp_path / "orders.parquet")
    land(tmp_path / "orders.parquet", mapping)
    header = '{"id": 2, "customer": "u2", "placed": "2024-03-02", "to": {"city": "Bonn"}}\n'
    land(write("orders.jsonl", header), mapping)
    line = '{"line": "%s", "order_id": %s, "sku": "s", "qty": 1, "note": ""}\n'
    land(write("lines.jsonl", line % ("a", 1) + line % ("b", '"2"')), mapping)
    assert events(home, "event_id, user_id, channel") == [("a", "13085", None), ("b", "u2", "Bonn")]


def test_several_columns_make_a_key(write: Write, land: Land, home: Home) -> None:
    mapping = joined(on={"shop": "branch", "order_id": "id"})
    header = "branch,id,customer,placed\n"
    land(write("orders.csv", f"{header}x,1,ux,2024-03-01\ny,1,uy,2024-03-01\n"), mapping)
    land(write("lines.csv", "line,shop,order_id,sku,qty,note\na,y,1,s,1,\nb,x,1,s,1,\n"), mapping)
    assert events(home, "event_id, user_id") == [("a", "uy"), ("b", "ux")]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (HEADERS + "1,u9,2024-03-09,\n", ["orders.csv", "id = '1' stands in 2 rows", "one row a key"]),
        (HEADERS.replace("id,", "number,"), ["join.on.order_id", "no column 'id'", "number"]),
        ("id,customer,placed\n,u1,2024-03-01\n", ["1 of 1 rows", "missing id: 1", "none of them is kept"]),
        ("id,customer,placed\n", ["orders.csv", "0 of 0 rows"]),
        (HEADERS + "3,u3", ["half written"]),
    ],
)
def test_a_bad_header_file_is_refused_whole(
    content: str, parts: list[str], write: Write, land: Land, home: Home
) -> None:
    with pytest.raises(InputError) as raised:
        land(write("orders.csv", content), joined())
    for part in parts:
        assert part in str(raised.value)
    assert (Ledger(home).headers(), list(home.headers.glob("*"))) == ({}, [])
    assert len(Ledger(home).refusals()) == 1
    assert not list(home.lake.glob(".headers-*"))


def test_rows_of_a_header_file_without_a_key_or_ragged_are_quarantined(write: Write, land: Land, home: Home) -> None:
    report = land(write("orders.csv", HEADERS + "3,u3\n,u4,2024-03-04,x\n4,u4,2024-03-04,\n"), joined())
    assert (report.rows, report.reasons) == (3, {"missing id": 1, "ragged row": 1})
    assert [row[:2] for row in quarantined(home, report.fingerprint)] == [(3, "ragged row"), (4, "missing id")]


def test_lines_before_any_header_wait_for_one(write: Write, land: Land, home: Home) -> None:
    lines = write("lines.csv", LINES)
    for call in (lambda: land(lines, joined()), lambda: look(lines, "history", joined(), home, "UTC", ARRIVED)):
        with pytest.raises(InputError, match=r"lines\.csv: no header file has landed.*'orders\*'"):
            call()
    land(write("orders.csv", HEADERS), joined())
    assert land(lines, joined()).rows == 3


def test_a_column_that_neither_has_is_named_with_all_that_exist(write: Write, land: Land) -> None:
    land(write("orders.csv", HEADERS.replace("customer", "client")), joined())
    with pytest.raises(InputError) as raised:
        land(write("lines.csv", LINES), joined())
    for part in ("columns.user_id", "no column 'customer'", "sku", "client"):
        assert part in str(raised.value)


def test_a_name_that_landing_made_unique_still_holds_headers() -> None:
    mapping = joined(files="orders.csv")
    assert mapping.holds_headers("orders.csv") and mapping.holds_headers("orders-0123456789abcdef.csv")
    assert not mapping.holds_headers("orders-x.csv") and not mapping_of().holds_headers("orders.csv")


def test_malformed_lines_keep_their_numbers_in_a_join(write: Write, land: Land, home: Home) -> None:
    land(write("orders.csv", HEADERS), joined())
    report = land(write("lines.csv", f"{LINES}ragged\nd,1,s1,1,x\n"), joined())
    assert events(home, "source_row") == [(1,), (2,), (3,), (5,)]
    assert [row[:2] for row in quarantined(home, report.fingerprint)] == [(4, "ragged row")]
