"""Which decimal mark numbers have, and which currency."""

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.onboarding.numerals import currency_sign, decimal_mark, numbers_of
from churn_platform.onboarding.scratch import scratch_connection


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with scratch_connection() as opened:
        yield opened


def test_texts_are_read_as_the_lake_reads_them(connection: duckdb.DuckDBPyConnection) -> None:
    texts = ["12,5", "1.234,50 €", "7-", "(3,00)", "12 PCS", "15%", "x", "7e999", ""]
    assert numbers_of(connection, texts, ",", "csv") == [12.5, 1234.5, -7, -3, None, None, None, None, None]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=50), st.sampled_from(".,"))
def test_the_mark_of_amounts_with_cents_is_found(
    connection: duckdb.DuckDBPyConnection, cents: list[int], mark: str
) -> None:
    point = [f"{number / 100:,.2f}" for number in cents]
    texts = point if mark == "." else [text.translate(str.maketrans(",.", ".,")) for text in point]
    assert decimal_mark(connection, [texts, ["x", "1"]], "csv") == mark


def test_where_both_marks_read_the_values_it_is_the_point(connection: duckdb.DuckDBPyConnection) -> None:
    assert decimal_mark(connection, [["1,234", "5"]], "csv") == "."


def test_a_point_in_json_says_nothing_about_the_texts_beside_it(connection: duckdb.DuckDBPyConnection) -> None:
    assert decimal_mark(connection, [["12.5", "13.5", "14.5"], ["1,5"]], "jsonl") == ","


def test_a_sign_counts_if_it_is_the_only_one() -> None:
    assert currency_sign(["€5", "7"]) == "€"
    assert currency_sign(["€5", "$7"]) is None
    assert currency_sign(["5"]) is None
