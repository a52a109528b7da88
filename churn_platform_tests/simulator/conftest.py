"""One simulated shop for all tests that only read it."""

import polars as pl
import pytest

from churn_platform.simulator.shop import SimulatedChunk, simulate_chunks
from churn_platform.simulator.shop_settings import ShopSettings

CUSTOMERS = 4_000


@pytest.fixture(scope="session")
def shop() -> SimulatedChunk:
    """The default shop at half its size, clean lines only."""
    chunks = list(simulate_chunks(ShopSettings(customers=CUSTOMERS, dirty_share=0.0)))
    return SimulatedChunk(pl.concat(c.events for c in chunks), pl.concat(c.truth for c in chunks))
