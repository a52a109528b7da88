"""Mapping expressions: what is allowed, and how they bind to a file."""

import duckdb
import pytest

from churn_platform.errors import InputError
from churn_platform.lake.expressions import bind_expression, column_names, parse_expression
from churn_platform.lake.numbers import create_number_macros

TEXT = {"Quantity": "VARCHAR", "Price": "VARCHAR", "name": "VARCHAR", "data": "VARCHAR", "when": "TIMESTAMP"}


@pytest.mark.parametrize(
    "text",
    [
        "read_text('/etc/passwd')", "(SELECT 1)", "name IN (SELECT 1)", "getenv('HOME')", "current_setting('x')",
        "now()",
        "sum(Quantity)", "row_number() OVER ()", "*", "columns('a')", "$x", "list_transform([1], x -> x)",
        "exists(SELECT 1)",
        "name.lower()", "name.*", "name COLLATE NOCASE", "getvariable('file')",
    ],
)  # fmt: skip
def test_what_could_read_anything_but_the_row_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"columns\.amount"):
        parse_expression(text, "columns.amount")


@pytest.mark.parametrize("text", ["", "a b c", "a; SELECT 1", "a FROM x", "a, b", "(a", "name AS other"])
def test_what_is_not_one_expression_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"columns\.text: .* is not one SQL expression"):
        parse_expression(text, "columns.text")


def test_a_dotted_name_is_one_column_however_deep() -> None:
    text = "upper(address.city) || a.b.c.d.e.f || data"
    assert sorted(column_names(parse_expression(text, "k"))) == ["a.b.c.d.e.f", "address.city", "data"]
    bound = bind_expression(parse_expression("address.city", "k"), "k", {"Address.City": "VARCHAR"}, "a.csv")
    assert bound.sql == '"Address.City"'


def test_a_dotted_name_that_the_file_lacks_is_named_with_what_it_could_be() -> None:
    with pytest.raises(InputError, match=r"no column 'address\.city'.*Only in JSON Lines"):
        bind_expression(parse_expression("address.city", "k"), "k", TEXT, "a.csv")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Quantity * Price", 10.0),
        ("quantity < 10", True),
        ("-Quantity", -4.0),
        ("Quantity IN (4, 5)", True),
        ("Quantity BETWEEN 1 AND 9", True),
        ("coalesce(Quantity, '0') * 2", 8.0),
        ("(Quantity) + 1", 5.0),
        ("CASE WHEN Quantity = 4 THEN upper(name) ELSE 'x' END", "ANNA"),
        ("CAST(name AS INTEGER)", None),
        ("name || '-' || Quantity", "anna-4"),
        ("json_extract_string(data, '$.city') = 'Bonn'", True),
        ("data ->> '$.city'", "Bonn"),
        ("name[1:2]", "an"),
        ("name NOT LIKE 'b%' AND starts_with(name, 'a')", True),
        ("strptime(name, '%Y')", None),
        ("regexp_extract(name, 'a(n+)a', 1)", "nn"),
        ("nothing", None),
    ],
)
def test_allowed_expressions_mean_what_duckdb_says(text: str, value: object) -> None:
    types = TEXT | {"nothing": "VARCHAR"}
    bound = bind_expression(parse_expression(text, "k"), "k", types, "a.csv")
    row = {"Quantity": "4", "Price": "2.5", "name": "anna", "data": '{"city": "Bonn"}', "nothing": None}
    columns = ", ".join(f'CAST(${name} AS VARCHAR) AS "{name}"' for name in row)
    with duckdb.connect() as connection:
        create_number_macros(connection, ".", "csv")
        query = f"SELECT {bound.sql} FROM (SELECT {columns})"
        rows = connection.execute(query, row).fetchall()
    assert rows == [(value,)]


def test_text_columns_used_as_numbers_are_named() -> None:
    bound = bind_expression(parse_expression("Quantity * Price || name", "k"), "k", TEXT, "a.csv")
    assert bound.number_columns == {"Quantity", "Price"}
    typed = {"Quantity": "INTEGER", "Price": "DOUBLE", "name": "VARCHAR"}
    assert bind_expression(parse_expression("Quantity * Price", "k"), "k", typed, "a.csv").number_columns == frozenset()


def test_time_arithmetic_is_left_alone() -> None:
    bound = bind_expression(parse_expression('"when" + INTERVAL 1 HOUR', "k"), "k", TEXT, "a.csv")
    assert bound.number_columns == frozenset()
    assert "TRY_CAST" not in bound.sql


def test_a_missing_column_names_key_column_file_the_nearest_and_what_exists() -> None:
    expression = parse_expression("Quantty * Price", "columns.amount")
    assert column_names(expression) == ["Quantty", "Price"]
    with pytest.raises(InputError) as raised:
        bind_expression(expression, "columns.amount", TEXT, "orders.csv")
    for part in ("columns.amount", "orders.csv", "'Quantty'", "Did you mean 'Quantity'?", "Price"):
        assert part in str(raised.value)
