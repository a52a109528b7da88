"""The shipped mappings on the data they are for."""

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

import churn_platform
from churn_platform.lake.ingest import ingest
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import KNOWN_TYPES, read_mapping
from churn_platform.lake.reader import create_raw_events_view
from churn_platform.settings import Home, environment
from churn_platform.simulator.shop import write_shop
from churn_platform.simulator.shop_settings import ShopSettings

DATASETS = Path(churn_platform.__file__).parent / "datasets"
DATA = environment().datasets / "online_retail_ii.parquet"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PURCHASES = """
SELECT count(*), count(DISTINCT user_id), count(DISTINCT order_id)
FROM (SELECT DISTINCT ON (event_id) * FROM raw_events) WHERE event_type = 'purchase'
"""


@pytest.mark.skipif(not DATA.is_file(), reason="the data set is not on this machine")
def test_online_retail_ii_gives_the_published_counts(home: Home) -> None:
    report = ingest(DATA, "history", read_mapping(DATASETS / "online_retail_ii.toml"), home, "Europe/London", NOW)
    assert (report.rows, report.quarantined, report.reasons) == (809_561, 235_287, {"missing user_id": 235_287})
    assert Ledger(home).watermark() == date(2011, 12, 8)
    with duckdb.connect() as connection:
        create_raw_events_view(connection, Ledger(home).fragments())
        assert connection.execute(PURCHASES).fetchall() == [(779_425, 5_878, 36_969)]


def test_the_simulated_shop_lands_but_for_its_lines_without_a_customer(home: Home, tmp_path: Path) -> None:
    shop = write_shop(ShopSettings(customers=150, last_day=date(2024, 12, 31), dirty_share=0.02), tmp_path)
    report = ingest(shop.events, "history", read_mapping(DATASETS / "simulated_shop.toml"), home, "UTC", NOW)
    assert report.rows + report.quarantined == shop.event_rows
    assert set(report.reasons) == {"missing user_id"}
    assert set(report.event_types) <= set(KNOWN_TYPES)
    with duckdb.connect() as connection:
        create_raw_events_view(connection, Ledger(home).fragments())
        ids = connection.execute("SELECT count(DISTINCT event_id) < count(*) FROM raw_events").fetchall()
        attributes = connection.execute("SELECT bool_and(json_valid(properties)) FROM raw_events").fetchall()
    assert (ids, attributes) == ([(True,)], [(True,)])
