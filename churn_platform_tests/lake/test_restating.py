"""A corrected file in the place of a landed one: all of it or nothing, as if it had arrived then."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.errors import InputError, UsageError
from churn_platform.lake.ingest import FileReport, ingest
from churn_platform.lake.ledger import Landed, Ledger
from churn_platform.lake.restating import Decision, compare, restate, touched_days
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import ARRIVED, events, mapping_of, quarantined

MAPPING = mapping_of(
    {"event_id": "id", "user_id": "user", "event_time": "time", "event_type": "type", "quantity": "qty",
     "unit_price": "price"}
)  # fmt: skip
DAY = ARRIVED.date()
LATER = ARRIVED + timedelta(days=5)
DECISION = Decision("Ada", "the till was wrong", LATER)
Write = Callable[[str, bytes | str], Path]
Land = Callable[..., FileReport]

CHILD = """
import sys
from pathlib import Path
from churn_platform.lake.restating import restate
from churn_platform.settings import Home
from churn_platform_tests.lake.test_restating import DECISION, MAPPING
print("ready", flush=True)
restate(Path(sys.argv[1]), "wrong.csv", DECISION, MAPPING, Home(Path(sys.argv[2])), "UTC")
"""


def text(*rows: tuple[str, int]) -> str:
    """A file of purchases: event_id and quantity of each."""
    lines = [f"{name},u-{name},2024-05-30 10:00:00,purchase,{quantity},2.5" for name, quantity in rows]
    return "\n".join(["id,user,time,type,qty,price", *lines, ""])


def quantities(home: Home) -> list[tuple[object, ...]]:
    return [
        (row[0], int(str(row[1])), row[2], row[3])
        for row in events(home, "event_id, quantity::INT, source_file, known_date")
    ]


def restated(home: Home, file: Path, replaces: str = "wrong.csv") -> Landed:
    return restate(file, replaces, DECISION, MAPPING, home, "UTC")


@pytest.fixture
def wrong(write: Write, land: Land) -> FileReport:
    """A delivery with a wrong row b, a row c that never happened, and without row d."""
    return land(write("wrong.csv", text(("a", 1), ("b", 2), ("c", 3))), MAPPING, "live")


@pytest.fixture
def corrected(write: Write) -> Path:
    return write("right.csv", text(("a", 1), ("b", 20), ("d", 4)))


def test_the_corrected_rows_stand_in_the_place_and_at_the_arrival_of_the_others(
    home: Home, wrong: FileReport, corrected: Path
) -> None:
    done = restated(home, corrected)
    assert quantities(home) == [("a", 1, "right.csv", DAY), ("b", 20, "right.csv", DAY), ("d", 4, "right.csv", DAY)]
    assert {row[0] for row in events(home, "known_at")} == {ARRIVED.replace(tzinfo=None)}
    assert done.restates is not None
    assert (done.restates.by, done.restates.note, done.restates.replaces) == ("Ada", DECISION.note, wrong.fingerprint)
    assert Ledger(home).landed() == {done.fingerprint: done}
    assert touched_days(Ledger(home), done) == [DAY]


def test_every_event_is_accounted_for(home: Home, wrong: FileReport, corrected: Path, tmp_path: Path) -> None:
    done = restated(home, corrected)
    changes = tmp_path / "changes.parquet"
    assert compare(home, done, changes) == {"removed": 1, "added": 1, "changed": 1, "unchanged": 1}
    with duckdb.connect() as connection:
        found = connection.execute("SELECT event_id, change FROM read_parquet(?)", [str(changes)]).fetchall()
    assert sorted(found) == [("b", "changed"), ("c", "removed"), ("d", "added")]


def test_two_rows_of_one_event_in_the_other_order_are_a_change(
    home: Home, write: Write, land: Land, tmp_path: Path
) -> None:
    land(write("wrong.csv", text(("a", 1), ("a", 2), ("b", 3))), MAPPING, "live")
    done = restated(home, write("right.csv", text(("b", 3), ("a", 2), ("a", 1))))
    counts = compare(home, done, tmp_path / "changes.parquet")
    assert counts == {"removed": 0, "added": 0, "changed": 1, "unchanged": 1}


def test_the_same_restatement_again_changes_nothing(home: Home, wrong: FileReport, corrected: Path) -> None:
    done = restated(home, corrected)
    ledger = home.ledger_file.read_bytes()
    assert restated(home, corrected) == done
    assert restated(home, corrected, wrong.fingerprint) == done
    assert home.ledger_file.read_bytes() == ledger


def test_a_correction_under_the_same_name_is_made_once(home: Home, wrong: FileReport, write: Write) -> None:
    corrected = write("wrong.csv", text(("a", 7)))
    done = restated(home, corrected)
    assert restated(home, corrected) == done
    assert quantities(home) == [("a", 7, "wrong.csv", DAY)]


def test_a_correction_that_had_landed_on_its_own_moves_to_the_day_of_the_file_it_replaces(
    home: Home, wrong: FileReport, corrected: Path, land: Land
) -> None:
    land(corrected, MAPPING, "live", arrived=LATER)
    watermark = Ledger(home).watermark()
    done = restated(home, corrected)
    assert {row[3] for row in quantities(home)} == {DAY}
    assert len(quantities(home)) == 3
    assert touched_days(Ledger(home), done) == [DAY, LATER.date()]
    assert Ledger(home).watermark() == watermark == LATER.date() - timedelta(days=1)


def test_history_is_restated_by_the_days_of_its_events(home: Home, write: Write, land: Land) -> None:
    land(write("wrong.csv", text(("a", 1))), MAPPING)
    moved = text(("a", 1)).replace("2024-05-30", "2024-05-28")
    done = restated(home, write("right.csv", moved))
    assert done.mode == "history"
    assert Ledger(home).days() == [date(2024, 5, 28)]
    assert touched_days(Ledger(home), done) == [date(2024, 5, 28), date(2024, 5, 30)]


def test_history_restated_by_a_shorter_file_leaves_its_days_declared_complete(
    home: Home, write: Write, land: Land
) -> None:
    land(write("wrong.csv", text(("a", 1))), MAPPING)
    restated(home, write("right.csv", text(("a", 1)).replace("2024-05-30", "2024-05-20")))
    assert Ledger(home).watermark() == Ledger(home).history_watermark() == date(2024, 5, 29)


def test_withdrawn_rows_do_not_come_back_by_dropping_their_file_again(
    home: Home, wrong: FileReport, corrected: Path, write: Write, land: Land
) -> None:
    restated(home, corrected)
    again = write("wrong.csv", text(("a", 1), ("b", 2), ("c", 3)))
    with pytest.raises(InputError, match=r"withdrawn by Ada on 2024-06-06 .*right\.csv took its place.*churn restate"):
        land(again, MAPPING, "live", arrived=LATER)
    assert len(quantities(home)) == 3
    back = restated(home, again, "right.csv")
    assert [row[:2] for row in quantities(home)] == [("a", 1), ("b", 2), ("c", 3)]
    assert {row[3] for row in quantities(home)} == {DAY}
    assert Ledger(home).landed() == {wrong.fingerprint: back}
    assert list(Ledger(home).withdrawn()) == [back.restates.replaces if back.restates else ""]


def test_an_unreadable_correction_leaves_the_landed_file_and_no_trace(
    home: Home, wrong: FileReport, write: Write, land: Land
) -> None:
    ledger = home.ledger_file.read_bytes()
    with pytest.raises(InputError, match="no column 'user'"):
        restated(home, write("bad.csv", "who,what\nu,purchase\n"))
    mostly_broken = write("broken.csv", text(("a", 1)).replace("2024-05-30 10:00:00", "yesterday"))
    with pytest.raises(InputError, match="cannot land"):
        restated(home, mostly_broken)
    assert home.ledger_file.read_bytes() == ledger
    assert len(quantities(home)) == 3


def test_a_name_that_has_not_landed_is_told_with_the_nearest_that_has(
    home: Home, wrong: FileReport, corrected: Path
) -> None:
    with pytest.raises(UsageError, match=r"No file 'wrng\.csv' has landed\. Did you mean 'wrong\.csv'\?"):
        restated(home, corrected, "wrng.csv")


def test_two_files_of_one_name_are_told_apart_by_their_fingerprint(
    home: Home, wrong: FileReport, corrected: Path, write: Write, land: Land
) -> None:
    other = land(write("wrong.csv", text(("x", 9))), MAPPING, "live")
    with pytest.raises(UsageError, match=f"2 files named wrong.csv .*{wrong.fingerprint}.*{other.fingerprint}"):
        restated(home, corrected)
    assert restated(home, corrected, other.fingerprint).fingerprint in Ledger(home).landed()
    assert wrong.fingerprint in Ledger(home).landed()


def test_a_file_does_not_replace_itself_nor_one_that_is_replaced_already(
    home: Home, wrong: FileReport, corrected: Path, write: Write
) -> None:
    with pytest.raises(UsageError, match="exactly the content"):
        restated(home, write("copy.csv", text(("a", 1), ("b", 2), ("c", 3))))
    done = restated(home, corrected)
    with pytest.raises(UsageError, match=rf"replaced by right\.csv already\. Name that one: {done.fingerprint}"):
        restated(home, write("third.csv", text(("a", 5))))


ROWS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(1, 3)), min_size=1, max_size=5, unique_by=lambda row: row[0]
)


@settings(deadline=None, max_examples=10)
@given(first=ROWS, corrected=ROWS, other=ROWS)
def test_a_restated_lake_equals_one_in_which_the_corrected_file_had_arrived(
    first: list[tuple[str, int]], corrected: list[tuple[str, int]], other: list[tuple[str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = {name: root / f"{name}.csv" for name in ("wrong", "right", "other")}
        for name, rows in (("wrong", first), ("right", corrected), ("other", other)):
            files[name].write_text(text(*rows) + f"{name},u,2024-05-30 10:00:00,view,1,1\n")
        restated_home, expected = Home(root / "restated").create(), Home(root / "expected").create()
        for home, name in ((restated_home, "wrong"), (expected, "right")):
            ingest(files[name], "live", MAPPING, home, "UTC", ARRIVED)
            ingest(files["other"], "live", MAPPING, home, "UTC", LATER)
        done = restated(restated_home, files["right"])
        assert events(restated_home) == events(expected)
        assert Ledger(restated_home).watermark() == Ledger(expected).watermark()
        counts = compare(restated_home, done, root / "changes.parquet")
        assert counts["removed"] + counts["changed"] + counts["unchanged"] == len(first) + 1
        assert counts["added"] + counts["changed"] + counts["unchanged"] == len(corrected) + 1


def test_a_killed_restatement_leaves_the_old_file_or_the_new_one(
    home: Home, wrong: FileReport, corrected: Path
) -> None:
    old = [("a", 1), ("b", 2), ("c", 3)]
    new = [("a", 1), ("b", 20), ("d", 4)]
    for wait in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4):
        command = [sys.executable, "-c", CHILD, str(corrected), str(home.root)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as child:
            assert child.stdout is not None and child.stdout.readline() == "ready\n"
            time.sleep(wait)
            child.send_signal(signal.SIGKILL)
        assert [row[:2] for row in quantities(home)] in (old, new)
    restated(home, corrected)
    assert [row[:2] for row in quantities(home)] == new


def test_a_file_that_landed_by_a_wrong_mapping_takes_its_own_place(
    home: Home, wrong: FileReport, write: Write, land: Land, tmp_path: Path
) -> None:
    file, state = write("wrong.csv", text(("a", 1), ("b", 2), ("c", 3))), Ledger(home).state()
    pence = mapping_of({**MAPPING.columns, "unit_price": "CAST(price AS DOUBLE) / 100"})
    done = [restate(file, "wrong.csv", DECISION, pence, home, "UTC") for _ in range(2)]
    assert done[0] == done[1]
    assert {row[0] for row in events(home, "unit_price::DOUBLE")} == {0.025}
    assert {row[3] for row in quantities(home)} == {DAY}
    assert Ledger(home).landed() == {wrong.fingerprint: done[0]}
    assert Ledger(home).withdrawn() == {}
    assert Ledger(home).state() != state
    counts = compare(home, done[0], tmp_path / "changes.parquet")
    assert counts == {"removed": 0, "added": 0, "changed": 3, "unchanged": 0}
    assert land(file, pence, "live").status == "already landed"


def test_a_death_before_the_line_of_the_ledger_leaves_a_correction_that_had_landed_as_it_was(
    home: Home, wrong: FileReport, write: Write, land: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrected = write("right.csv", text(("d", 4), ("e", 5)) + "f,,2024-05-30 10:00:00,purchase,6,1\n")
    landed = land(corrected, MAPPING, "live")
    before = quantities(home), quarantined(home, landed.fingerprint)
    assert landed.quarantined == 1
    other = mapping_of({**MAPPING.columns, "user_id": "coalesce(user, 'guest')"})

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "commit", die)
        with pytest.raises(KeyboardInterrupt):
            restate(corrected, "wrong.csv", DECISION, other, home, "UTC")
    assert (quantities(home), quarantined(home, landed.fingerprint)) == before
    restate(corrected, "wrong.csv", DECISION, other, home, "UTC")
    assert [row[:2] for row in quantities(home)] == [("d", 4), ("e", 5), ("f", 6)]


def test_the_moment_of_the_decision_is_kept_with_its_offset(home: Home, wrong: FileReport, corrected: Path) -> None:
    done = restated(home, corrected)
    assert done.restates is not None
    assert done.restates.decided_at == datetime(2024, 6, 6, 4, tzinfo=UTC)
    arrival = Ledger(home).arrived(done.fingerprint)
    assert arrival is not None and arrival.arrived_at == ARRIVED


def test_a_restatement_of_the_first_file_changes_nothing_in_what_counts_as_new(
    home: Home, wrong: FileReport, corrected: Path, write: Write, land: Land
) -> None:
    def with_coupon(name: str, coupon: str) -> FileReport:
        header, row, _ = text((name, 1)).split("\n")
        return land(write(f"{name}.csv", f"{header},coupon\n{row},{coupon}\n"), MAPPING, "live")

    assert with_coupon("x", "SAVE").new_columns == ["coupon"]
    restated(home, corrected)
    assert with_coupon("y", "EXTRA").new_columns == []
    assert events(home, "properties")[-2:] == [('{"coupon":"SAVE"}',), ('{"coupon":"EXTRA"}',)]
