"""Order headers and lines in two files, through the command and through landing/."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from churn_platform.lake.ledger import Ledger
from churn_platform.settings import Home
from churn_platform_tests.integration.shops import churn, materialise
from churn_platform_tests.lake.shop_files import events

pytestmark = pytest.mark.lifecycle

MAPPING = """
[source]
name = "two-files"
[join]
files = "orders*.csv"
on = { order_id = "id" }
[columns]
user_id = "customer"
event_time = "placed"
event_type = "'purchase'"
order_id = "order_id"
item_id = "sku"
"""


def write_orders(folder: Path, first: int, last: int) -> tuple[Path, Path]:
    """The lines, whose name comes first, and the headers of orders; the days of January and February 2025."""
    numbers = range(first, last + 1)
    lines, orders = folder / f"lines{first}.csv", folder / f"orders{first}.csv"
    lines.write_text("order_id,sku\n" + "".join(f"{number},a\n{number},b\n" for number in numbers))
    orders.write_text(
        "id,customer,placed\n" + "".join(f"{number},c{number % 7},2025-01-{number:02d}\n" for number in numbers)
    )
    return lines, orders


def test_lines_and_headers_land_together_whatever_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, mapping = Home(tmp_path / "home"), tmp_path / "mapping.toml"
    mapping.write_text(MAPPING)
    lines, orders = write_orders(tmp_path, 1, 20)
    ended = churn("run", "--source", lines, "--source", orders, "--mapping", mapping, home=home.root)
    assert (ended.code, "days of history are needed" in ended.output) == (1, True), ended.output
    (landed,) = Ledger(home).landed().values()
    (headers,) = Ledger(home).headers().values()
    assert (landed.rows, landed.quarantined, headers.rows) == (40, 0, 20)
    assert lines.exists() and orders.exists()
    monkeypatch.setenv("CHURN_HOME", str(home.root))
    write_orders(home.history_landing, 21, 25)
    monkeypatch.setattr("churn_platform.orchestration.arrivals.SETTLE_SECONDS", 0.0)
    assert materialise(home, ["raw_events"], date(2025, 1, 21), date(2025, 1, 25)).success
    assert sorted(path.name for path in home.accepted.iterdir()) == ["lines1.csv", "lines21.csv", "orders21.csv"]
    assert len(set(events(home, "event_id"))) == 50
    assert events(home, "user_id, order_id")[-1] == ("c4", "25")


def test_headers_that_sort_after_a_batch_of_lines_come_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home").create()
    home.mapping_file.write_text(MAPPING)
    for first in (1, 6, 11):
        lines, _ = write_orders(home.landing, first, first + 4)
        lines.rename(lines.with_name(f"a{lines.name}"))
    monkeypatch.setenv("CHURN_HOME", str(home.root))
    monkeypatch.setattr("churn_platform.orchestration.arrivals.SETTLE_SECONDS", 0.0)
    monkeypatch.setattr("churn_platform.orchestration.arrivals.BATCH_FILES", 2)
    today = datetime.now(UTC).date()
    assert materialise(home, ["raw_events"], today, today).success
    assert [landed.file for landed in Ledger(home).landed().values()] == ["alines1.csv", "alines6.csv"]
    assert [path.name for path in home.landing.glob("*.csv")] == ["alines11.csv"]
    assert list(home.rejected.iterdir()) == []
