"""Seven shapes of real files, from `churn init` into the lake without a hand edit."""

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from churn_platform.errors import InputError
from churn_platform.onboarding.sample import RECORDS
from churn_platform_tests.lake.shop_files import at
from churn_platform_tests.onboarding.conftest import Init

Write = Callable[[str, bytes | str], Path]


def test_a_european_csv(write: Write, init: Init) -> None:
    lines = [
        "Rechnungsnr;Kundennummer;Belegdatum;Artikel;Bezeichnung;Menge;Einzelpreis;Währung",
        "R1;1001;31.01.2024 09:05;A7;Käse, alt;2;12,50;EUR",
        "R1;1001;31.01.2024 09:05;B3;Öl;1;1.234,00;EUR",
        "R2;1002;01.02.2024 17:40;A7;Käse, alt;-1;12,50;EUR",
        "R3;1001;02.02.2024 08:00;C9;Brötchen;10;0,35;EUR",
    ]
    done = init(write("verkauf.csv", "\r\n".join([*lines, ""]).encode("latin-1")))
    assert done.landed() == [
        ("1001", at(2024, 1, 31, 9, 5), "purchase", Decimal(2), Decimal("12.5"), Decimal(25)),
        ("1001", at(2024, 1, 31, 9, 5), "purchase", Decimal(1), Decimal(1234), Decimal(1234)),
        ("1002", at(2024, 2, 1, 17, 40), "return", Decimal(-1), Decimal("12.5"), Decimal("-12.5")),
        ("1001", at(2024, 2, 2, 8), "purchase", Decimal(10), Decimal("0.35"), Decimal("3.5")),
    ]
    assert done.landed("order_id, item_id, text, currency")[0] == ("R1", "A7", "Käse, alt", "EUR")
    assert 'currency = "EUR"' in done.written.definition.read_text()


def test_us_dates_with_am_and_pm(write: Write, init: Init) -> None:
    lines = [
        "Member,Purchased At,Order #,Product,Units,Total",
        'bob,1/5/2024 9:05 AM,1,hat,1,"$1,020.00"',
        "bob,1/31/2024 11:30 PM,2,cap,2,$8.50",
        "eve,2/1/2024 12:00 AM,3,hat,1,$20.00",
        "eve,2/3/2024 12:15 PM,4,hat,-1,-$20.00",
    ]
    done = init(write("sales.csv", "\n".join([*lines, ""])))
    assert done.mapping.source.time_format == "%m/%d/%Y %I:%M %p"
    assert done.landed() == [
        ("bob", at(2024, 1, 5, 9, 5), "purchase", Decimal(1), None, Decimal(1020)),
        ("bob", at(2024, 1, 31, 23, 30), "purchase", Decimal(2), None, Decimal("8.5")),
        ("eve", at(2024, 2, 1), "purchase", Decimal(1), None, Decimal(20)),
        ("eve", at(2024, 2, 3, 12, 15), "return", Decimal(-1), None, Decimal(-20)),
    ]
    assert done.landed("order_id, item_id, currency")[0] == ("1", "hat", "USD")


def test_epoch_milliseconds(write: Write, init: Init) -> None:
    lines = [
        "ts,uid,action,sku,cost",
        "1717198200000,7,pageview,x1,",
        "1717198260500,7,bought,x1,9.99",
        "1717284600000,8,add_to_cart,x2,",
        "1717284660000,8,refunded,x2,5.00",
        "1717284720000,8,levitated,x2,",
    ]
    done = init(write("clicks.csv", "\n".join([*lines, ""])))
    assert done.mapping.source.time_format == "epoch_ms"
    assert done.landed("user_id, event_time, event_type, quantity, unit_price, amount, item_id") == [
        ("7", at(2024, 5, 31, 23, 30), "view", None, None, None, "x1"),
        ("7", datetime(2024, 5, 31, 23, 31, 0, 500_000), "purchase", None, None, Decimal("9.99"), "x1"),  # noqa: DTZ001
        ("8", at(2024, 6, 1, 23, 30), "add_to_cart", None, None, None, "x2"),
        ("8", at(2024, 6, 1, 23, 31), "return", None, None, Decimal(5), "x2"),
        ("8", at(2024, 6, 1, 23, 32), "levitated", None, None, None, "x2"),
    ]
    assert "levitated" in done.written.mapping.read_text()


def test_an_excel_sheet(tmp_path: Path, init: Init) -> None:
    path = tmp_path / "orders.xlsx"
    with xlsxwriter.Workbook(path, {"default_date_format": "dd/mm/yyyy hh:mm"}) as book:
        book.add_worksheet("About").write_row(0, 0, ["Made for you"])
        sheet = book.add_worksheet("Pedidos")
        rows = [
            ["Cliente", "Fecha", "Pedido", "Producto", "Cantidad", "Precio unitario", "Importe"],
            ["C-1", at(2024, 3, 1, 10), 501, "té", 2, 3.5, 7],
            ["C-2", at(2024, 3, 2, 11, 30), 502, "café", 3, 2.25, 6.75],
            ["C-1", at(2024, 4, 1, 9), 503, "té", 1, 3.5, 3.5],
        ]
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    done = init(path)
    assert done.mapping.source.sheet == "Pedidos"
    assert done.landed() == [
        ("C-1", at(2024, 3, 1, 10), "purchase", Decimal(2), Decimal("3.5"), Decimal(7)),
        ("C-2", at(2024, 3, 2, 11, 30), "purchase", Decimal(3), Decimal("2.25"), Decimal("6.75")),
        ("C-1", at(2024, 4, 1, 9), "purchase", Decimal(1), Decimal("3.5"), Decimal("3.5")),
    ]
    assert done.landed("order_id, item_id") == [("501", "té"), ("502", "café"), ("503", "té")]


def test_date_only_logs_with_no_amount(write: Write, init: Init) -> None:
    done = init(write("visits.csv", "member_no,visit_date\n5,2024-01-03\n5,2024-02-04\n6,2024-02-04\n"))
    assert done.landed() == [
        ("5", at(2024, 1, 3), "purchase", None, None, None),
        ("5", at(2024, 2, 4), "purchase", None, None, None),
        ("6", at(2024, 2, 4), "purchase", None, None, None),
    ]
    assert done.written.trial.customers == 2, "a purchase without a price is an activity"
    assert "default_order_value" in done.written.definition.read_text()


def test_flat_json_lines(write: Write, init: Init) -> None:
    rows = [
        {"buyer": "a", "when": "2024-01-01T10:00:00+02:00", "total": 5.5, "currency": "SEK"},
        {"buyer": "b", "when": "2024-01-02T10:00:00+02:00", "total": 7, "currency": "SEK"},
    ]
    done = init(write("log.jsonl", "\n".join(map(json.dumps, rows)) + "\n"))
    assert done.landed() == [
        ("a", at(2024, 1, 1, 8), "purchase", None, None, Decimal("5.5")),
        ("b", at(2024, 1, 2, 8), "purchase", None, None, Decimal(7)),
    ]


def test_nested_json_lines(write: Write, init: Init) -> None:
    orders = [
        {
            "id": "o-1",
            "placed_at": "2024-03-01T10:00:00Z",
            "customer": {"id": "k1", "email": "k1@example.org", "address": {"city": "Lyon"}},
            "currency": "EUR",
            "items": [{"sku": "A", "qty": 2, "price": 3.5}, {"sku": "B", "qty": 1, "price": 10}],
        },
        {
            "id": "o-2",
            "placed_at": "2024-03-02T11:30:00Z",
            "customer": {"id": "k2", "email": "k2@example.org", "address": {"city": "Nice"}},
            "currency": "EUR",
            "items": [{"sku": "A", "qty": 5, "price": 3.5}],
        },
    ]
    done = init(write("orders.jsonl", "".join(json.dumps(order) + "\n" for order in orders)))
    assert done.mapping.source.unnest == "items"
    assert done.landed() == [
        ("k1", at(2024, 3, 1, 10), "purchase", Decimal(2), Decimal("3.5"), Decimal(7)),
        ("k1", at(2024, 3, 1, 10), "purchase", Decimal(1), Decimal(10), Decimal(10)),
        ("k2", at(2024, 3, 2, 11, 30), "purchase", Decimal(5), Decimal("3.5"), Decimal("17.5")),
    ]
    assert done.landed("order_id, item_id, properties")[0] == (
        "o-1", "A", '{"customer.email":"k1@example.org","customer.address.city":"Lyon"}',
    )  # fmt: skip


def test_order_headers_and_lines_in_two_files(write: Write, init: Init) -> None:
    orders = write(
        "orders.csv",
        "id,client_ref,ordered_at,currency\n71,amy,2024-03-01 10:00,GBP\n72,bob,2024-03-02 11:30,GBP\n"
        "73,amy,2024-04-01 09:00,GBP\n",
    )
    lines = write(
        "order_lines.csv",
        "order_id,sku,qty,unit_price\n71,tea,2,3.50\n71,cup,1,8.00\n72,tea,1,3.50\n73,tea,4,3.25\n",
    )
    done = init(lines, orders, land_first=[orders])
    assert done.mapping.join is not None
    assert (done.mapping.join.files, done.mapping.join.on) == ("orders*.csv", {"order_id": "id"})
    assert done.landed() == [
        ("amy", at(2024, 3, 1, 10), "purchase", Decimal(2), Decimal("3.5"), Decimal(7)),
        ("amy", at(2024, 3, 1, 10), "purchase", Decimal(1), Decimal(8), Decimal(8)),
        ("bob", at(2024, 3, 2, 11, 30), "purchase", Decimal(1), Decimal("3.5"), Decimal("3.5")),
        ("amy", at(2024, 4, 1, 9), "purchase", Decimal(4), Decimal("3.25"), Decimal(13)),
    ]
    assert done.landed("order_id, item_id, currency")[0] == ("71", "tea", "GBP")
    assert done.written.trial.rows == 4


def test_kinds_of_files_that_do_not_belong_together_are_named(write: Write, init: Init) -> None:
    visits = write("visits.csv", "member,visit_date\n5,2024-01-03\n6,2024-02-04\n")
    stock = write("stock.csv", "warehouse,sku,pieces\nnorth,tea,5\nsouth,tea,9\n")
    with pytest.raises(
        InputError, match=r"different columns.*\n  visits\.csv: member, visit_date\n  stock\.csv: wareh"
    ):
        init(visits, stock)


def test_files_of_one_kind_are_one_source(write: Write, init: Init) -> None:
    january = write("log-01.csv", "member,visit_date\n5,2024-01-03\n6,2024-01-04\n")
    february = write("log-02.csv", "visit_date,member\n2024-02-03,5\n")
    assert init(january, february).landed("user_id, event_time") == [
        ("5", at(2024, 1, 3)), ("6", at(2024, 1, 4)), ("5", at(2024, 2, 3)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "times",
    [
        [20240101, 20240213],
        [1704067200, 1707782400],
        [at(2024, 1, 1), at(2024, 2, 13)],
        [date(2024, 1, 1), date(2024, 2, 13)],
        ["2024-01-01", "2024-02-13"],
    ],
)
def test_parquet_in_its_own_types(times: list[object], tmp_path: Path, init: Init) -> None:
    path = tmp_path / "log.parquet"
    pl.DataFrame({"customer": [13085.0, 7.0], "date": times, "total": [1.5, 2.5]}).write_parquet(path)
    assert init(path).landed("user_id, event_time, amount") == [
        ("13085", at(2024, 1, 1), Decimal("1.5")), ("7", at(2024, 2, 13), Decimal("2.5")),
    ]  # fmt: skip


def test_day_and_month_that_the_sample_leaves_open_are_told_by_all_records(write: Write, init: Init) -> None:
    monthly = "".join(f"c{n},01/{n % 12 + 1:02}/2024\n" for n in range(RECORDS))
    done = init(write("log.csv", f"client,date\n{monthly}c1,15/01/2025\n"))
    assert done.mapping.source.time_format == "%d/%m/%Y"
    assert done.written.trial.quarantined == 0
    assert done.landed("event_time")[-1] == (at(2025, 1, 15),)
    assert "all records together read best as %d/%m/%Y" in done.written.mapping.read_text()


def test_ids_that_begin_anew_after_the_sample_are_no_event_ids(write: Write, init: Init) -> None:
    rows = "".join(f"{n},c{n % 40},2024-01-{n % 28 + 1:02},{n}.5\n" for n in range(RECORDS))
    done = init(write("log.csv", f"event_id,customer,date,amount\n{rows}0,c1,2024-03-01,7.0\n1,c2,2024-03-01,8.0\n"))
    assert "event_id" not in done.mapping.columns
    told = "no event_id: header 'event_id' says so, but 2 of its values stand for several records that differ"
    assert told in done.written.mapping.read_text()
    assert len({event for (event,) in done.landed("event_id")}) == RECORDS + 2
    assert done.landed("properties")[0] == ('{"event_id":"0"}',)


def test_records_that_are_there_twice_leave_their_ids(write: Write, init: Init) -> None:
    rows = "".join(f"{n},c{n % 4},2024-01-{n % 28 + 1:02},{n}.5\n" for n in range(40))
    done = init(write("log.csv", f"event_id,customer,date,amount\n{rows}{rows}"))
    assert done.landed("event_id")[:2] == [("0",), ("1",)]
    assert done.written.trial.shared_ids == 0
