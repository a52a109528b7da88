"""The SQL of churn_dates against its definition, word for word, over random histories with late files."""

from collections.abc import Sequence
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.sql.library import default_library
from churn_platform_tests.sql.test_models import Case, Row, run_case

SNAPSHOT, NEWEST, HISTORY_ENDS = date(2024, 4, 1), date(2024, 5, 1), date(2024, 4, 12)
HORIZON, GRACE = 4, 2

Days = Sequence[tuple[date, date]]  # day of an activity, day of its arrival

active_days = st.lists(
    st.tuples(st.integers(-6, 29), st.integers(0, 9)).map(
        lambda drawn: (SNAPSHOT + timedelta(drawn[0]), SNAPSHOT + timedelta(sum(drawn)))
    ),
    max_size=12,
    unique=True,
)


def closing(first: date) -> date:
    """The day on which the window of HORIZON days from `first` closes."""
    end = first + timedelta(HORIZON)
    return end if end <= HISTORY_ENDS else end + timedelta(GRACE)


def is_empty(first: date, days: Days) -> bool:
    end = first + timedelta(HORIZON)
    return not any(first <= day < end and known <= closing(first) for day, known in days)


def first_silence(days: Days) -> date | None:
    """The first day from SNAPSHOT on whose window is empty and closed by the watermark."""
    day = SNAPSHOT
    while closing(day) < NEWEST:
        if is_empty(day, days):
            return day
        day += timedelta(1)
    return None


def by_sql(days: Days) -> Row:
    noon = "2024-01-01 12:00:00"
    always: Row = {"user_id": "ann", "activities": 1, "first_event_at": noon, "last_event_at": noon, "events": 1}
    label: Row = {"snapshot_date": SNAPSHOT, "user_id": "ann", "churned": is_empty(SNAPSHOT, days)} | {
        "window_start": SNAPSHOT, "window_end": SNAPSHOT + timedelta(HORIZON), "definition_version": "v1",
    }  # fmt: skip
    parameters = {
        "training_snapshots": [SNAPSHOT], "newest_snapshot": NEWEST, "history_watermark": HISTORY_ENDS,
        "horizon_days": HORIZON, "live_grace_days": GRACE,
    }  # fmt: skip
    rows = {"user_days": [always | {"event_date": day, "known_date": known} for day, known in days]}
    case = Case(
        "churn_dates", "law", parameters, rows | {"churn_labels": [label]}, ["churned_on", "observed_until"], []
    )
    [found] = run_case(default_library(), case)
    return found


@settings(max_examples=60, deadline=None)
@given(days=active_days)
def test_the_churn_date_is_the_first_day_of_the_first_empty_window(days: Days) -> None:
    found = by_sql(days)
    assert found["churned_on"] == first_silence(days)
    assert closing(found["observed_until"]) < NEWEST <= closing(found["observed_until"] + timedelta(1))
