"""The first records of files: as few as asked for, in bounded memory, whatever a line holds."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from churn_platform.onboarding.sample import read_samples

Write = Callable[[str, bytes | str], Path]


def test_every_file_is_sampled(write: Write) -> None:
    files = [write(f"{n}.csv", "customer\n" + f"{n}\n" * 100) for n in range(4)]
    [sample] = read_samples(files, 40)
    assert sample.frame["customer"].to_list() == [str(n) for n in range(4) for _ in range(10)]


def test_elements_beyond_the_limit_take_no_memory(write: Write) -> None:
    items = [{"sku": f"item{n}", "qty": n, "price": 1.5} for n in range(5000)]
    line = json.dumps({"customer": "c", "at": "2024-01-01", "items": items})
    path = write("orders.jsonl", f"{line}\n" * 40)
    tracemalloc.start()
    try:
        [sample] = read_samples([path], 60)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (sample.frame.height, sample.unnest) == (60, "items")
    assert sample.frame["items.sku"][-1] == "item59"
    assert peak < 48 * 2**20


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        ('{"customer": "x", "n": ' + '{"a": ' * 20_000 + "1" + "}" * 20_000 + "}", 1),
        ('{"customer": "x", "n": ' + '{"a": ' * 900 + "1" + "}" * 900 + "}", 2),
        ('{"customer": "x", "note": "\\ud800"}', 1),
        ('{"customer": "x", "\\udc00": 1}', 1),
        ('{"customer": "x", "a\\u0000b": 1}', 2),
    ],
    ids=["endless nesting", "deep nesting", "half a surrogate pair", "half a pair in a name", "a NUL in a name"],
)
def test_what_no_column_can_hold_is_left_out(line: str, rows: int, write: Write) -> None:
    [sample] = read_samples([write("log.jsonl", f'{line}\n{{"customer": "c"}}\n')])
    assert sample.frame["customer"].to_list() == ["x", "c"][-rows:]
    assert sample.frame.columns == ["customer"]


def test_a_number_of_any_length_is_read(write: Write) -> None:
    digits = "9" * 5000
    [sample] = read_samples([write("log.jsonl", f'{{"customer": "c", "total": {digits}}}\n')])
    assert sample.frame.rows() == [("c", digits)]
