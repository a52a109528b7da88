"""The first records of files: as few as asked for, in bounded memory, whatever a line holds."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

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
