"""Who is eligible, churned and back by two definitions, on events at the edges of their windows."""

from datetime import date, timedelta

import duckdb
import pytest

from churn_platform.orchestration.definition_comparison import count_labels
from churn_platform.settings import ChurnDefinition

SNAPSHOT, NEWEST = date(2024, 6, 1), date(2024, 9, 1)
IN_FORCE = ChurnDefinition(activity=["purchase"], lookback_days=30, horizon_days=20)
# Another activity beside, a longer lookback, a lead, another horizon.
OTHER = ChurnDefinition(activity=["purchase", "login"], lookback_days=60, lead_days=5, horizon_days=30)


def judged(*events: tuple[int, str]) -> tuple[str, str, int, int]:
    """One customer's statuses and returns, from (days after the snapshot, event type)."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE stg_events (user_id VARCHAR, event_date DATE, event_type VARCHAR)")
        for days, kind in events:
            connection.execute(
                "INSERT INTO stg_events VALUES ('u', $day, $kind)",
                {"day": SNAPSHOT + timedelta(days=days), "kind": kind},
            )
        counts, differing = count_labels(connection, IN_FORCE, OTHER, [SNAPSHOT], newest=NEWEST)
    [(snapshot, current, other, customers, current_back, other_back)] = counts.rows()
    assert (snapshot, customers) == (SNAPSHOT, 1)
    assert differing.rows() == ([(SNAPSHOT, "u", current, other)] if current != other else [])
    return current, other, current_back, other_back


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([(-30, "purchase")], ("churned", "churned", 0, 0)),
        ([(-31, "purchase")], ("not eligible", "churned", 0, 0)),
        ([(-60, "login")], ("not eligible", "churned", 0, 0)),
        ([(-1, "purchase"), (0, "purchase")], ("stayed", "churned", 0, 0)),  # the lead begins that day
        ([(-1, "purchase"), (5, "purchase")], ("stayed", "stayed", 0, 0)),
        ([(-1, "purchase"), (5, "login")], ("churned", "stayed", 0, 0)),
        ([(-1, "purchase"), (20, "purchase")], ("churned", "stayed", 1, 0)),  # half-open: day 20 is after the window
        ([(-1, "purchase"), (34, "purchase")], ("churned", "stayed", 1, 0)),
        ([(-1, "purchase"), (35, "purchase")], ("churned", "churned", 1, 1)),
        ([(-1, "purchase"), (35, "login")], ("churned", "churned", 0, 1)),
        ([(-1, "purchase"), (92, "purchase")], ("churned", "churned", 0, 0)),  # from the newest snapshot on: not known
    ],
)
def test_statuses_at_the_edges(events: list[tuple[int, str]], expected: tuple[str, str, int, int]) -> None:
    assert judged(*events) == expected
