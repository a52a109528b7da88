"""The values that a SQL model may bind, by name (`$snapshot_date`); nothing is ever formatted into SQL."""

from datetime import date
from typing import Final

Value = date | str | int | float | bool | list[str] | list[date]

PARAMETERS: Final[dict[str, str]] = {
    "first_day": "first arrival day to build, inclusive",
    "last_day": "last arrival day to build, inclusive",
    "snapshot_date": "the snapshot to build: the day whose opening midnight it is",
    "newest_snapshot": "the snapshot that is scored today",
    "training_snapshots": "the snapshots that a model may learn from or be tested on",
    "maximum_rows": "of how many examples a model may learn at most",
    "timezone": "the shop's IANA time zone",
    "activity_types": "event types that show a customer is alive",
    "lookback_days": "days before a snapshot in which an activity makes a customer eligible",
    "lead_days": "days between a snapshot and its label window",
    "horizon_days": "length of the label window in days",
    "label_grace_days": "days after the label window in which a late event still counts",
    "live_grace_days": "the same for a window that no bulk load covers; one that is covered has none",
    "history_watermark": "last full day of the bulk loads; the day before the first arrival where there are none",
    "definition_version": "hash of the product definition",
}

# What a materialisation must bind, so that it builds its partition and not the whole table.
REQUIRED: Final[dict[str, frozenset[str]]] = {
    "full": frozenset(),
    "arrival_day": frozenset({"first_day", "last_day"}),
    "snapshot": frozenset({"snapshot_date"}),
}
