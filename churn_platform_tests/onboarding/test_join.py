"""Which of two kinds of files is looked up by which column."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from churn_platform.onboarding.join import find_join
from churn_platform.onboarding.sample import Sample


def sample(name: str, **columns: list[object]) -> Sample:
    frame = pl.DataFrame(columns).with_columns(pl.all().cast(pl.String))
    return Sample((Path(name),), "csv", frame, dict.fromkeys(frame.columns, "VARCHAR"))


NUMBERS = [*range(100, 140)]
ORDERS = sample("orders.csv", id=NUMBERS, customer=[number % 9 for number in NUMBERS])
LINES = sample(
    "lines.csv", order_id=[number for number in NUMBERS for _ in range(2)], sku=["a", "b"] * 40, id=[*range(80)]
)


def test_lines_are_joined_to_their_orders_whatever_the_order_of_the_files() -> None:
    for samples in ([ORDERS, LINES], [LINES, ORDERS]):
        join = find_join(samples)
        assert join is not None
        assert (join.line_column, join.header_column, join.files, join.held) == ("order_id", "id", "orders*.csv", 1)
        together = join.together()
        assert together.frame.columns == ["order_id", "sku", "id", "customer"]
        assert together.frame["customer"].to_list()[:4] == ["1", "1", "2", "2"]
        assert together.frame["id"].to_list() == LINES.frame["id"].to_list(), "the lines' own column wins"
        assert [file.name for file in join.ordered_files] == ["orders.csv", "lines.csv"]


def test_small_numbers_that_happen_to_be_keys_are_no_join() -> None:
    lines = sample("lines.csv", sku=["a", "b"] * 20, pieces=[100, 101, 102, 103] * 10)
    assert find_join([ORDERS, lines]) is None


def test_a_key_that_is_not_unique_is_no_key() -> None:
    twice = replace(ORDERS, frame=pl.concat([ORDERS.frame, ORDERS.frame.head(1)]))
    assert find_join([twice, LINES]) is None


def test_headers_that_agree_need_few_common_values() -> None:
    later = sample("lines.csv", order_id=[*range(130, 160)], sku=["a"] * 30)
    join = find_join([ORDERS, later])
    assert join is not None
    assert join.line_column == "order_id"


def test_the_pattern_of_names_leaves_the_lines_out() -> None:
    files = tuple(Path(f"orders-2024-{month:02}.csv") for month in range(1, 10))
    join = find_join([replace(ORDERS, files=files), LINES])
    assert join is not None
    assert join.files == "orders*.csv"
    join = find_join([replace(ORDERS, files=files), replace(LINES, files=(Path("orders-lines.csv"),))])
    assert join is not None
    assert join.files == "orders-2024-0*.csv"
    join = find_join([ORDERS, replace(LINES, files=(Path("orders-lines.csv"),))])
    assert join is not None
    assert join.files == "orders.csv"
