"""A small file with its mapping; and files in the ledger without rows on disk, for what reads the ledger only."""

from collections.abc import Sequence
from datetime import date

from churn_platform.lake.ledger import ONE_DAY, Landed, Ledger
from churn_platform.settings import Home

MAPPING = """
[source]
name = "shop"
[columns]
user_id = "user"
event_time = "time"
event_type = "type"
"""
ROWS = "user,time,type\nu1,2024-05-02 10:00:00,purchase\nu2,2024-05-20 10:00:00,view\n"
JOINED_MAPPING = (
    MAPPING
    + """
order_id = "order"
[join]
files = "orders*"
on = { order = "id" }
"""
)
LINES = "order,type\n1,purchase\n2,purchase\n"
HEADERS = "id,user,time\n1,u1,2024-05-02 10:00:00\n2,u2,2024-05-20 10:00:00\n"


def landed_history(home: Home, fingerprint: str, days: Sequence[date]) -> None:
    """A bulk load with one row on each day; its last full day is the one before its last."""
    _commit(home, fingerprint, days, last_full_day=max(days) - ONE_DAY)


def landed_live(home: Home, fingerprint: str, arrival_day: date) -> None:
    """A delivery whose one row arrived on a day."""
    _commit(home, fingerprint, [arrival_day], arrival_day=arrival_day)


def _commit(
    home: Home,
    fingerprint: str,
    days: Sequence[date],
    *,
    last_full_day: date | None = None,
    arrival_day: date | None = None,
) -> None:
    Ledger(home).commit(
        Landed(
            fingerprint=fingerprint,
            file=f"{fingerprint}.csv",
            mode="live" if arrival_day else "history",
            source="shop",
            rows=len(days),
            quarantined=0,
            reasons={},
            event_types={"purchase": len(days)},
            days=dict.fromkeys(days, 1),
            first_event_day=min(days),
            last_event_day=max(days),
            mapping_hash="m",
            last_full_day=last_full_day,
            arrival_day=arrival_day,
        )
    )
