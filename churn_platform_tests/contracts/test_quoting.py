from datetime import date, datetime
from decimal import Decimal

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.contracts.quoting import Value, literal, quoted, quoted_list

printable = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1)
values = (
    st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.decimals(-1000, 1000, places=2)
    | st.dates(date(1800, 1, 1), date(2200, 1, 1))
    | st.datetimes(datetime.fromisoformat("1800-01-01"), datetime.fromisoformat("2200-01-01"))
    | printable
)


@settings(max_examples=150, deadline=None)
@given(value=values)
def test_a_literal_is_its_value(value: Value) -> None:
    assert duckdb.execute(f"SELECT {literal(value)}").fetchall() == [(value,)]


@settings(max_examples=50, deadline=None)
@given(name=printable)
def test_a_quoted_name_is_that_name(name: str) -> None:
    assert [column[0] for column in duckdb.execute(f"SELECT 1 AS {quoted(name)}").description] == [name]


def test_names_are_separated_by_commas() -> None:
    assert quoted_list(["a", "b c"]) == '"a", "b c"'
    assert literal(Decimal("1.50")) == "1.50"
