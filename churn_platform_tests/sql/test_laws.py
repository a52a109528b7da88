"""Laws of time that every family of features and staging keep, over random histories."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.orchestration.feature_tables import feature_tables
from churn_platform.sql.library import default_library
from churn_platform_tests.sql.test_models import Case, Row, differences, run_case

SNAPSHOT = date(2024, 4, 1)
MEASURES = [
    column.name
    for column in default_library().contract("user_days").columns
    if column.type.startswith(("INTEGER", "DECIMAL")) and column.name != "events"
]
FEATURE_PARAMETERS = {"snapshot_date": SNAPSHOT, "lookback_days": 180, "lead_days": 0, "horizon_days": 90}


@st.composite
def user_days(draw: st.DrawFn, ages: st.SearchStrategy[int], delays: st.SearchStrategy[int]) -> list[Row]:
    """Days of two customers, as old as `ages` at the snapshot and arrived `delays` days after they happened."""
    keys = draw(st.lists(st.tuples(st.sampled_from("ab"), ages, delays), max_size=8, unique=True))
    return [
        {
            "user_id": user,
            "event_date": SNAPSHOT - timedelta(days=age),
            "known_date": SNAPSHOT - timedelta(days=age - delay),
            **{measure: draw(st.integers(0, 3)) for measure in MEASURES},
        }
        for user, age, delay in keys
    ]


def features_of(table: str, days: Sequence[Row]) -> list[Row]:
    """A family's features at SNAPSHOT of these days, each with one order, one visit and one item."""
    noon = datetime(2024, 1, 1, 12)  # noqa: DTZ001 - DuckDB's TIMESTAMP has no zone
    keys = [{name: day[name] for name in ("user_id", "known_date")} for day in days]
    orders: list[Row] = [
        {"order_id": f"o{day['event_date']}", "ordered_at": noon, "order_lines": 1, "amount": day["spend"]}
        | {"order_date": day["event_date"]}
        for day in days
    ]
    visits: list[Row] = [
        {"session_id": "s", "started_at": noon, "ended_at": noon, "events": 1, "session_date": day["event_date"]}
        | {name: day[name] for name in ("views", "carts", "purchases")}
        for day in days
    ]
    items: list[Row] = [
        {"item_id": f"i{day['spend']}", "purchases": 1, "event_date": day["event_date"]} for day in days
    ]
    categories: list[Row] = [
        {"category": f"c{day['views']}", "purchases": 1 + int(str(day["carts"])), "event_date": day["event_date"]}
        for day in days
    ]
    others = {"fct_orders": orders, "fct_sessions": visits, "user_items": items, "user_categories": categories}
    rows = {"user_days": [day | {"first_event_at": noon, "last_event_at": noon} for day in days]} | {
        table: [key | row for key, row in zip(keys, built, strict=True)] for table, built in others.items()
    }
    library = default_library()
    parameters = {name: FEATURE_PARAMETERS[name] for name in library.models[table].parameters}
    given = {upstream: rows[upstream] for upstream in rows if upstream in library.models[table].dependencies}
    columns = library.contracts[table].column_names
    return run_case(library, Case(table, "law", parameters, given, columns, []))


PAST = user_days(ages=st.integers(1, 600), delays=st.just(0))
HAPPENED_LATER = user_days(ages=st.integers(-5, 0), delays=st.integers(0, 3))
ARRIVED_LATER = user_days(ages=st.integers(1, 40), delays=st.integers(41, 60))


@pytest.mark.parametrize("family", feature_tables())
@settings(max_examples=12, deadline=None)
@given(past=PAST, later=HAPPENED_LATER, arrived_later=ARRIVED_LATER)
def test_nothing_that_happens_from_the_cutoff_on_or_arrives_after_it_moves_a_feature(
    family: str, past: list[Row], later: list[Row], arrived_later: list[Row]
) -> None:
    assert differences(features_of(family, past), features_of(family, [*past, *later, *arrived_later])) == []


@pytest.mark.parametrize("family", feature_tables())
@settings(max_examples=12, deadline=None)
@given(past=PAST)
def test_a_history_load_and_nightly_files_give_equal_features(family: str, past: list[Row]) -> None:
    nightly = [day | {"known_date": day["event_date"] + timedelta(days=1)} for day in past]
    assert differences(features_of(family, past), features_of(family, nightly)) == []


COPIES = st.lists(
    st.fixed_dictionaries(
        {
            "event_id": st.sampled_from(["e1", "e2", "e3"]),
            "known_date": st.dates(date(2024, 3, 10), date(2024, 3, 12)),
            "source_file": st.sampled_from(["a.csv", "b.csv"]),
            "source_row": st.integers(1, 12),
        }
    ),
    max_size=10,
    unique_by=lambda row: (row["known_date"], row["source_file"], row["source_row"]),
)


@settings(max_examples=12, deadline=None)
@given(copies=COPIES)
def test_staging_day_by_day_equals_staging_all_days_at_once_and_keeps_the_earliest_copy(copies: list[Row]) -> None:
    moment = datetime(2024, 3, 10, 12)  # noqa: DTZ001 - DuckDB's TIMESTAMP has no zone
    always: Row = {"user_id": "ann", "event_type": "view", "event_time": moment, "known_at": moment, "source": "shop"}
    raw = [always | row for row in copies]
    days = [date(2024, 3, day) for day in (10, 11, 12)]
    columns = default_library().contracts["stg_events"].column_names

    def staged(first: date, last: date, before: Sequence[Row]) -> list[Row]:
        parameters = {"first_day": first, "last_day": last, "timezone": "UTC", "activity_types": ["purchase"]}
        rows = {"raw_events": raw, "stg_events": before}
        return run_case(default_library(), Case("stg_events", "law", parameters, rows, columns, []))

    one_by_one: list[Row] = []
    for day in days:
        one_by_one += staged(day, day, one_by_one)
    keys = ("event_id", "known_date", "source_file", "source_row")
    earliest = {row["event_id"]: row for row in sorted(raw, key=lambda row: [row[key] for key in keys], reverse=True)}
    assert differences(staged(days[0], days[-1], []), one_by_one) == []
    assert {tuple(row[key] for key in keys) for row in one_by_one} == {
        tuple(row[key] for key in keys) for row in earliest.values()
    }
