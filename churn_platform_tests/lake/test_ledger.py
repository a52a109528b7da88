"""The ledger: arrivals are recorded once, and only committed files count."""

from datetime import UTC, date, datetime, timedelta

import pytest

from churn_platform.lake.ledger import Landed, Ledger, Mode, fragment_path
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import at

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def landed(fingerprint: str, mode: Mode, *days: date, source: str = "shop") -> Landed:
    history = mode == "history"
    return Landed(
        fingerprint=fingerprint, file=f"{fingerprint}.csv", mode=mode, source=source, rows=len(days), quarantined=1,
        reasons={"missing user_id": 1}, event_types={"purchase": len(days)}, days=dict.fromkeys(days, 1),
        first_event_day=min(days), last_event_day=max(days), mapping_hash="m",
        last_full_day=max(days) - timedelta(days=1) if history else None, arrival_day=None if history else max(days),
    )  # fmt: skip


def test_an_arrival_is_recorded_once(home: Home) -> None:
    ledger = Ledger(home)
    first = ledger.arrival("f1", "a.csv", "live", NOON)
    assert Ledger(home).arrival("f1", "b.csv", "live", NOON + timedelta(days=3)) == first
    assert ledger.arrived("f1") == first
    assert ledger.arrived("f2") is None


def test_a_rejected_file_may_come_again_as_history_with_its_first_arrival(home: Home) -> None:
    ledger = Ledger(home)
    ledger.arrival("f1", "a.csv", "live", NOON)
    ledger.reject("f1", "a.csv", "a reason")
    again = ledger.arrival("f1", "a.csv", "history", NOON + timedelta(days=1))
    assert (again.mode, again.arrived_at) == ("history", NOON)
    assert not ledger.is_landed("f1")


def test_a_naive_arrival_is_refused(home: Home) -> None:
    with pytest.raises(ValueError, match="offset"):
        Ledger(home).arrival("f1", "a.csv", "live", at(2024, 5, 1))


def test_a_commit_reads_back_as_it_was_written(home: Home) -> None:
    record = landed("f1", "live", date(2024, 5, 1))
    Ledger(home).commit(record)
    assert Ledger(home).landed() == {"f1": record}


def test_fragments_are_those_of_committed_files_within_the_days(home: Home) -> None:
    ledger = Ledger(home)
    ledger.arrival("f0", "uncommitted.csv", "live", NOON)
    ledger.commit(landed("f2", "history", date(2024, 1, 1), date(2024, 1, 3)))
    ledger.commit(landed("f1", "live", date(2024, 1, 3)))
    third = date(2024, 1, 3)
    assert ledger.fragments(first=date(2024, 1, 2), last=third) == [
        fragment_path(home.events, third, "f1"),
        fragment_path(home.events, third, "f2"),
    ]
    assert len(ledger.fragments()) == 3
    assert ledger.fragments(last=date(2023, 12, 31)) == []
    assert ledger.days() == [date(2024, 1, 1), third]
    assert ledger.names_through(date(2024, 1, 2)) == ["f2"]
    assert ledger.names_through(third) == ["f1", "f2"]
    assert ledger.sources() == ["shop"]


def test_the_watermark_is_the_later_of_history_and_the_day_before_the_newest_delivery(home: Home) -> None:
    ledger = Ledger(home)
    assert (ledger.watermark(), ledger.history_watermark()) == (None, None)
    ledger.commit(landed("h", "history", date(2024, 1, 1), date(2024, 1, 10)))
    assert ledger.watermark() == ledger.history_watermark() == date(2024, 1, 9)
    ledger.commit(landed("l1", "live", date(2024, 1, 9)))
    assert ledger.watermark() == date(2024, 1, 9)
    ledger.commit(landed("l2", "live", date(2024, 1, 12)))
    assert ledger.watermark() == date(2024, 1, 11)
    assert ledger.history_watermark() == date(2024, 1, 9)
