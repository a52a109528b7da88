"""Numbers as people write them: read back whatever the style, and what is no number is none."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Literal

import duckdb
import polars as pl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.lake.ingest import FileReport
from churn_platform.lake.mapping import Mapping
from churn_platform.lake.numbers import CODES, create_number_macros
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import events, mapping_of, quarantined

Write = Callable[[str, bytes | str], Path]
Land = Callable[..., FileReport]
Mark = Literal[".", ","]

CURRENCIES = ["€", "$", "£", "EUR", "USD", "R$", "US$", "kr", "kr.", "zł", "Fr.", "Rs."]


def read(decimal: Mark, *texts: str) -> list[tuple[Decimal | None, float | None]]:
    """Each text as `as_decimal` and as `as_double` read it."""
    with duckdb.connect() as connection:
        create_number_macros(connection, decimal, "csv")
        query = "SELECT as_decimal(given), as_double(given) FROM (SELECT unnest(?::VARCHAR[]) AS given)"
        return connection.execute(query, [list(texts)]).fetchall()


@pytest.mark.parametrize(
    ("decimal", "text", "value"),
    [
        (".", "1234.5", "1234.5"), (".", "1,234.50", "1234.5"), (".", "1 234.50", "1234.5"),
        (".", "1\u00a0234\u00a0567", "1234567"), (".", "1\u202f234", "1234"), (".", "1'234.50", "1234.5"),
        (".", "1’234", "1234"), (".", ".5", "0.5"), (".", "5.", "5"), (".", "+5", "5"), (".", "1e3", "1000"),
        (",", "12,50", "12.5"), (",", "1.234,50", "1234.5"), (",", "1.234", "1234"), (",", "1 234,5", "1234.5"),
        (",", "1.234.567,89", "1234567.89"), (",", ",5", "0.5"), (",", "7", "7"), (",", "0,123", "0.123"),
        (".", "-5", "-5"), (".", "5-", "-5"), (".", "5 -", "-5"), (".", "−5", "-5"), (".", "(1,234.50)", "-1234.5"),
        (".", "$5.00", "5"), (".", "$-5", "-5"), (".", "-$5", "-5"), (".", "$(5.00)", "-5"), (".", "($5.00)", "-5"),
        (".", "5 USD-", "-5"), (",", "(5 €)", "-5"), (",", "€ 1.234,50", "1234.5"),
        (",", "1\u202f234,50\u202f€", "1234.5"),
        (".", "CHF 1'234.50", "1234.5"), (".", "Rs.500", "500"), (".", "5 kr.", "5"), (",", "R$ 1.000,00", "1000"),
    ],
)  # fmt: skip
def test_a_written_number_is_read(decimal: Mark, text: str, value: str) -> None:
    assert read(decimal, text) == [(Decimal(value), float(value))]


@pytest.mark.parametrize(
    ("decimal", "text"),
    [
        (".", "12,50"), (".", "1.234,50"), (".", "1,23,456"), (".", "12,34"), (".", "1,2345"), (".", "0,123"),
        (".", "1,234 567"), (".", "1.234.567"), (",", "12.50"), (",", "1,234.50"), (",", "1.23"), (",", "1,234,567"),
        (".", "15%"), (".", "--5"), (".", "-5-"), (".", "(-5)"), (".", "(5"), (".", "5)"), (".", "€5€"), (".", "€"),
        (".", "12 PCS"), (".", "3x"), (".", "1 2"), (".", "five"), (".", "-"), (".", "."), (".", ""), (".", " "),
    ],
)  # fmt: skip
def test_what_is_no_number_in_the_declared_style_is_none(decimal: Mark, text: str) -> None:
    assert read(decimal, text) == [(None, None)]


@settings(deadline=None, max_examples=60)
@given(
    value=st.decimals(min_value=0, max_value=10**12, places=2),
    decimal=st.sampled_from([".", ","]),
    group=st.sampled_from(["", "other", " ", "\u00a0", "\u202f", "'", "’"]),
    currency=st.sampled_from(["", *CURRENCIES, *CODES.split()[:5]]),
    currency_first=st.booleans(),
    gap=st.sampled_from(["", " ", "\u00a0"]),
    minus=st.sampled_from(["", "leading", "trailing", "parentheses"]),
)
def test_any_number_is_read_back_from_any_style(
    value: Decimal, decimal: Mark, group: str, currency: str, currency_first: bool, gap: str, minus: str
) -> None:
    mark = {".": ",", ",": "."}[decimal] if group == "other" else group
    text = f"{value:,.2f}".translate({ord(","): mark, ord("."): decimal})
    if currency:
        text = f"{currency}{gap}{text}" if currency_first else f"{text}{gap}{currency}"
    text = {"": text, "leading": f"-{text}", "trailing": f"{text}-", "parentheses": f"({text})"}[minus]
    expected = -value if minus else value
    ((found, _),) = read(decimal, text)
    assert found == expected, text


def test_a_european_file_lands_with_its_numbers(write: Write, land: Land, home: Home) -> None:
    mapping = Mapping.model_validate(
        {
            "source": {"name": "shop", "decimal": ",", "max_rejected_share": 0.5},
            "columns": {"user_id": "user", "event_time": "time", "event_type": "'purchase'", "quantity": "qty",
                        "unit_price": "price", "amount": "qty * price"},
        }
    )  # fmt: skip
    rows = ["u;2024-03-01;2;1.234,50 €", "u;2024-03-01;1.000;0,99", "u;2024-03-01;1;12.5", "u;2024-03-01;;"]
    report = land(write("a.csv", "\n".join(["user;time;qty;price", *rows]) + "\n"), mapping)
    assert events(home, "quantity, unit_price, amount") == [
        (Decimal(2), Decimal("1234.5"), Decimal(2469)), (Decimal(1000), Decimal("0.99"), Decimal(990)), (None,) * 3,
    ]  # fmt: skip
    assert report.reasons == {"unreadable unit_price": 1}
    assert [row[2] for row in quarantined(home, report.fingerprint)] == ["12.5"]


def test_text_with_separators_in_an_expression_is_a_number_or_costs_its_row(
    write: Write, land: Land, home: Home
) -> None:
    columns = {"user_id": "user", "event_time": "time", "event_type": "'view'", "amount": "qty * price"}
    rows = 'u|2024-03-01|2|"1,234.50"\nu|2024-03-01|2|free\nu|2024-03-01|(2)|$3\n'
    report = land(write("a.csv", f"user|time|qty|price\n{rows}"), mapping_of(columns))
    assert events(home, "amount") == [(Decimal(2469),), (Decimal(-6),)]
    assert report.reasons == {"unreadable number": 1}


def test_a_number_made_by_an_inner_expression_is_none_of_the_sources_texts(
    write: Write, land: Land, home: Home
) -> None:
    columns = {
        "user_id": "user",
        "event_time": "time",
        "event_type": "'view'",
        "amount": "round(coalesce(qty * 1.5, 0), 2)",
    }
    land(write("a.csv", "user;time;qty\nu;2024-03-01;2,5\n"), mapping_of(columns, decimal=","))
    assert events(home, "amount") == [(Decimal("3.75"),)]


def test_json_and_excel_numbers_keep_their_point_under_a_decimal_comma(
    write: Write, tmp_path: Path, land: Land, home: Home
) -> None:
    line = '{"user": "u", "time": "2024-03-01", "type": "view", "qty": 2, "price": %s}\n'
    land(write("a.jsonl", line % "12.5" + line % '"1.234,5"'), mapping_of(decimal=","))
    with xlsxwriter.Workbook(tmp_path / "b.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["user", "time", "type", "qty", "price"])
        sheet.write_row(1, 0, ["u", "2024-03-01", "view", 2, 12.5])
        sheet.write_row(2, 0, ["u", "2024-03-01", "view", 2, "1.234,5"])
    land(tmp_path / "b.xlsx", mapping_of(decimal=","))
    pl.DataFrame({"user": ["u"], "time": ["2024-03-01"], "type": ["view"], "qty": [2], "price": [12.5]}).write_parquet(
        tmp_path / "c.parquet"
    )
    land(tmp_path / "c.parquet", mapping_of(decimal=","))
    prices = [price for (price,) in events(home, "unit_price")]
    assert prices == [Decimal("12.5"), Decimal("1234.5")] * 2 + [Decimal("12.5")]
