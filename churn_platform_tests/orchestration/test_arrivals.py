"""The range of arrival days, found before a run and noted once."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from churn_platform.errors import InputError
from churn_platform.lake.landing import LandingFile
from churn_platform.lake.ledger import Ledger, Mode
from churn_platform.lake.source_file import fingerprint_of
from churn_platform.orchestration import arrivals
from churn_platform.orchestration.arrivals import batch, complete, expect, without_headers
from churn_platform.settings import Home
from churn_platform_tests.orchestration.landed_files import HEADERS, JOINED_MAPPING, LINES, MAPPING, ROWS

NOW = datetime(2024, 6, 1, 4, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _mapping(home: Home) -> None:
    home.mapping_file.write_text(MAPPING, encoding="utf-8")


def drop(home: Home, name: str, content: str = ROWS, mode: Mode = "history") -> LandingFile:
    folder = home.history_landing if mode == "history" else home.landing
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return LandingFile(path, mode)


def test_a_history_file_fills_the_days_of_its_events(home: Home) -> None:
    assert expect(home, [drop(home, "a.csv")], NOW) == (date(2024, 5, 2), date(2024, 5, 20))


def test_a_live_file_fills_the_day_of_its_arrival_in_the_shops_zone(home: Home) -> None:
    home.definition_file.write_text('timezone = "America/New_York"\n', encoding="utf-8")
    assert expect(home, [drop(home, "a.csv", mode="live")], datetime(2024, 6, 1, 3, 0, tzinfo=UTC)) == (
        date(2024, 5, 31),
        date(2024, 5, 31),
    )


def test_several_files_give_the_range_of_all(home: Home) -> None:
    files = [drop(home, "a.csv"), drop(home, "b.csv", "user,time,type\nu1,2024-01-01 00:00:00,view\n")]
    assert expect(home, files, NOW) == (date(2024, 1, 1), date(2024, 5, 20))


def test_a_second_look_changes_neither_the_answer_nor_the_ledger(home: Home) -> None:
    file = drop(home, "a.csv", mode="live")
    first = expect(home, [file], NOW)
    ledger = home.ledger_file.read_bytes()
    later = datetime(2024, 6, 3, tzinfo=UTC)
    assert expect(home, [file], later) == first == (NOW.date(), NOW.date())
    assert home.ledger_file.read_bytes() == ledger


def test_the_first_arrival_day_is_known_before_anything_has_landed(home: Home) -> None:
    expect(home, [drop(home, "a.csv")], NOW)
    assert Ledger(home).first_expected_day() == date(2024, 5, 2)
    assert Ledger(home).days() == []


def test_a_batch_is_all_history_and_the_first_deliveries_that_fit(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "BATCH_FILES", 2)
    history = [drop(home, f"h{number}.csv", f"{ROWS}\n{number}") for number in range(4)]
    live = [drop(home, f"l{number}.csv", f"{ROWS}{number}", mode="live") for number in range(3)]
    assert batch(live) == live[:2]
    assert batch(history + live) == history + live[:2]
    assert batch([]) == []
    monkeypatch.setattr(arrivals, "BATCH_BYTES", live[0].path.stat().st_size + 1)
    assert batch(live) == live[:1]
    monkeypatch.setattr(arrivals, "BATCH_BYTES", 1)
    assert batch(live) == live[:1]


def test_files_that_a_launcher_has_looked_at_count_as_complete(home: Home) -> None:
    fresh = [drop(home, f"l{number}.csv", ROWS.replace("u1", f"x{number}"), mode="live") for number in range(4)]
    assert complete(home) == []
    expect(home, fresh[1:], NOW)
    assert complete(home) == fresh[1:]


def test_an_unreadable_file_is_refused_and_no_days_are_noted(home: Home) -> None:
    file = drop(home, "a.csv", "who,time,type\nu1,2024-05-02 10:00:00,purchase\n")
    with pytest.raises(InputError, match=r"user"):
        expect(home, [file], NOW)
    assert Ledger(home).expected(fingerprint_of(file.path)) is None
    assert Ledger(home).first_expected_day() is None


def test_headers_are_taken_first_whatever_the_names_and_the_order(home: Home, tmp_path: Path) -> None:
    home.mapping_file.write_text(JOINED_MAPPING, encoding="utf-8")
    own = tmp_path / "orders_own.csv"
    own.write_text(HEADERS.replace("1,", "3,").replace("2,u", "4,u"), encoding="utf-8")
    lines, headers = drop(home, "lines.csv", LINES), drop(home, "orders.csv", HEADERS)
    left = without_headers(home, [lines, headers, LandingFile(own, "history")], NOW, not_refused)
    assert left == [lines]
    assert expect(home, left, NOW) == (date(2024, 5, 2), date(2024, 5, 20))
    assert own.exists() and (home.accepted / "orders.csv").exists() and not headers.path.exists()
    assert [found.file for found in Ledger(home).headers().values()] == ["orders.csv", "orders_own.csv"]
    assert Ledger(home).landed() == {}


def test_a_bad_header_file_is_handed_over_and_the_others_go_on(home: Home) -> None:
    home.mapping_file.write_text(JOINED_MAPPING, encoding="utf-8")
    refused: list[str] = []
    files = [drop(home, "orders1.csv", HEADERS + "1,u9,2024-05-02\n"), drop(home, "orders2.csv", HEADERS)]
    assert without_headers(home, files, NOW, lambda file, error: refused.append(f"{file.path.name}: {error}")) == []
    assert len(refused) == 1 and "id = '1' stands in 2 rows" in refused[0]
    assert [found.file for found in Ledger(home).headers().values()] == ["orders2.csv"]


def not_refused(file: LandingFile, error: InputError) -> None:
    raise AssertionError(f"{file}: {error}")


def test_without_a_mapping_nothing_is_looked_at(home: Home, tmp_path: Path) -> None:
    home.mapping_file.unlink()
    with pytest.raises(InputError, match=r"mapping\.toml does not exist"):
        expect(home, [drop(home, "a.csv")], NOW)
    assert not home.ledger_file.exists()
