"""The one partitions definition begins with the home's first arrival day and ends today."""

from datetime import date

import dagster as dg
import pytest

from churn_platform.lake.ledger import Ledger
from churn_platform.orchestration.partitions import arrival_days, range_of, range_tags
from churn_platform.settings import Home
from churn_platform_tests.orchestration.landed_files import landed_history, landed_live


def start_of(days: dg.DailyPartitionsDefinition) -> str:
    return days.start.date().isoformat()


def test_an_empty_home_begins_today_in_the_shops_zone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_NOW", "2024-06-01T02:00:00+00:00")
    assert start_of(arrival_days()) == "2024-06-01"
    home.definition_file.write_text('timezone = "America/New_York"\n', encoding="utf-8")
    assert start_of(arrival_days()) == "2024-05-31"
    assert arrival_days().timezone == "America/New_York"


def test_days_begin_with_the_first_landed_one(home: Home) -> None:
    landed_live(home, "b", date(2024, 5, 20))
    landed_history(home, "a", [date(2024, 5, 2), date(2024, 5, 19)])
    assert start_of(arrival_days()) == "2024-05-02"


def test_a_waiting_file_moves_the_start_back_and_a_refused_one_does_not(home: Home) -> None:
    landed_live(home, "a", date(2024, 5, 20))
    Ledger(home).expect("waiting", date(2024, 5, 2), date(2024, 5, 3))
    assert start_of(arrival_days()) == "2024-05-02"
    Ledger(home).reject("waiting", "waiting.csv", "half written")
    assert start_of(arrival_days()) == "2024-05-20"


def test_today_has_a_key(home: Home) -> None:
    landed_live(home, "a", date(2024, 5, 20))
    days = arrival_days()
    assert days.end_offset == 1
    assert days.get_first_partition_key() == "2024-05-20"


# Dagster 1.13 calls backfill_policy beta; drop the filter when it does not
@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_a_run_with_the_tags_of_a_range_builds_both_ends(home: Home) -> None:
    landed_history(home, "a", [date(2024, 5, 1), date(2024, 5, 31)])
    seen = []

    @dg.asset(partitions_def=arrival_days(), backfill_policy=dg.BackfillPolicy.single_run())
    def by_day(context: dg.AssetExecutionContext) -> None:
        seen.append(range_of(context))

    for first, last in [(date(2024, 5, 3), date(2024, 5, 7)), (date(2024, 5, 9), date(2024, 5, 9))]:
        assert dg.materialize([by_day], tags=range_tags(first, last)).success
    assert seen == [(date(2024, 5, 3), date(2024, 5, 7)), (date(2024, 5, 9), date(2024, 5, 9))]
