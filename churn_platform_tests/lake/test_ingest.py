"""One file into the lake: canonical values, arrival days, formats, and running it again."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from churn_platform.errors import InputError
from churn_platform.lake.ingest import DayRange, FileReport, ingest, look
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import Mapping
from churn_platform.lake.staging import merge_parts
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import ARRIVED, at, events, mapping_of, quarantined

Write = Callable[[str, bytes | str], Path]
Land = Callable[..., FileReport]

CSV = """user,time,type,qty,price
13085,2024-03-01 10:00:00,purchase,2,1.5
13085,2024-03-01 23:30:00,view,,
7,2024-03-02T01:00:00+02:00,purchase,1,0
7,2024-03-03,return,-1,2
"""
VALUES = "user_id, event_time, event_type, quantity, unit_price, amount, known_date, source_row"
EXPECTED = [
    ("13085", at(2024, 3, 1, 10), "purchase", Decimal(2), Decimal("1.5"), Decimal(3), date(2024, 3, 1), 1),
    ("13085", at(2024, 3, 1, 23, 30), "view", None, None, None, date(2024, 3, 1), 2),
    ("7", at(2024, 3, 1, 23), "adjustment", Decimal(1), Decimal(0), Decimal(0), date(2024, 3, 1), 3),
    ("7", at(2024, 3, 3), "return", Decimal(-1), Decimal(2), Decimal(-2), date(2024, 3, 3), 4),
]


def as_jsonl(csv: str) -> str:
    header, *lines = [line.split(",") for line in csv.splitlines()]
    rows = [{name: value for name, value in zip(header, line, strict=True) if value} for line in lines]
    return "\n".join(json.dumps(row) for row in rows)


def zstd(text: str) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(text.encode())
    return bytes(sink.getvalue())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV.encode()),
        ("a b[1]*'s.csv", CSV.encode()),
        ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("a.csv.zst", zstd(CSV)),
        ("crlf.csv", CSV.replace("\n", "\r\n").encode()),
        ("bom.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("a.tsv", CSV.replace(",", "\t").encode()),
        ("semicolon.csv", CSV.replace(",", ";").encode()),
        ("quoted.csv", CSV.replace("user,time", '"user","time"').replace("13085", '"13085"').encode()),
        ("upper.CSV", CSV.replace("user,time", "USER,Time").encode()),
        ("a.jsonl", as_jsonl(CSV).encode()),
        ("a.ndjson.gz", gzip.compress(as_jsonl(CSV).encode(), mtime=0)),
    ],
)
def test_every_text_format_lands_the_same_events(
    name: str, content: bytes, write: Write, land: Land, home: Home
) -> None:
    report = land(write(name, content))
    assert (report.status, report.rows, report.quarantined) == ("landed", 4, 0)
    assert events(home, VALUES) == EXPECTED
    assert set(events(home, "source, source_file, known_at = event_time")) == {("shop", name, True)}


def test_parquet_lands_the_same_events_and_ids_as_text(tmp_path: Path, write: Write, land: Land, home: Home) -> None:
    frame = pl.read_csv(write("a.csv", CSV)).with_columns(
        pl.Series("time", [at(2024, 3, 1, 10), at(2024, 3, 1, 23, 30), at(2024, 3, 1, 23), at(2024, 3, 3)])
    )
    for name, kind in (("int.parquet", pl.Int64), ("float.parquet", pl.Float64)):
        frame.with_columns(pl.col("user").cast(kind)).write_parquet(tmp_path / name)
        land(tmp_path / name)
    land(tmp_path / "a.csv")
    assert events(home, VALUES) == EXPECTED * 3
    assert len(set(events(home, "event_id"))) == 4


def test_exact_duplicates_share_an_id_and_any_other_value_changes_it(write: Write, land: Land, home: Home) -> None:
    base = "u,2024-03-01 10:00:00,purchase,2,1.5"
    changed = ["v,2024-03-01 10:00:00,purchase,2,1.5", "u,2024-03-01 10:00:01,purchase,2,1.5",
               "u,2024-03-01 10:00:00,view,2,1.5", "u,2024-03-01 10:00:00,purchase,3,1",
               "u,2024-03-01 10:00:00,purchase,2,"]  # fmt: skip
    land(write("a.csv", "user,time,type,qty,price\n" + "\n".join([base, base, *changed])))
    land(write("b.csv", f"user,time,type,qty,price\n{base}\n"), mode="live")
    ids = [name for (name,) in events(home, "event_id")]
    assert ids[0] == ids[1] == ids[-1]
    assert len(set(ids)) == 1 + len(changed)


def test_the_files_own_event_id_is_kept_and_a_blank_one_is_made(write: Write, land: Land, home: Home) -> None:
    mapping = mapping_of({"event_id": "id", "user_id": "user", "event_time": "time", "event_type": "'view'"})
    land(write("a.csv", "id,user,time\ne1,u,2024-03-01\n,u,2024-03-01\n"), mapping)
    (first,), (second,) = events(home, "event_id")
    assert first == "e1"
    assert len(str(second)) == 32


def test_rules_constants_properties_and_text(write: Write, land: Land, home: Home) -> None:
    mapping = Mapping.model_validate(
        {
            "source": {"name": "shop", "time_format": "%d/%m/%Y %H:%M"},
            "columns": {"user_id": "user", "event_time": "at", "order_id": "Invoice", "currency": "'GBP'",
                        "amount": "Qty * Price",
                        "quantity": "Qty", "unit_price": "Price", "text": "note"},
            "event_type": [{"when": "Invoice LIKE 'C%' OR Qty < 0", "then": "return"}, {"then": "purchase"}],
            "properties": {"country": "Country", "big": "Qty > 10"},
        }
    )  # fmt: skip
    header = "Invoice,user,at,Qty,Price,note,Country\n"
    rows = '1.0, 007 ,31/12/2023 09:05,12,2.5,"two\nlines ",UK\nC2,8.0,01/02/2024 00:00,1,1,,\n'
    land(write("a.csv", header + rows), mapping)
    columns = "user_id, event_time, event_type, order_id, amount, currency, text, properties"
    assert events(home, columns) == [
        (
            "007",
            at(2023, 12, 31, 9, 5),
            "purchase",
            "1",
            Decimal(30),
            "GBP",
            "two\nlines ",
            '{"country":"UK","big":true}',
        ),
        ("8", at(2024, 2, 1), "return", "C2", Decimal(1), "GBP", None, '{"country":null,"big":false}'),
    ]


def test_json_properties_pass_through_and_broken_ones_are_quarantined(write: Write, land: Land, home: Home) -> None:
    mapping = mapping_of({"user_id": "user", "event_time": "time", "event_type": "'view'", "properties": "attributes"})
    lines = ["user|time|attributes", 'u|2024-03-01|{"a": 1}', "u|2024-03-01|", "u|2024-03-01|{broken"]
    report = land(write("a.csv", "\n".join(lines)), mapping)
    assert events(home, "properties") == [('{"a": 1}',), (None,)]
    assert report.reasons == {"unreadable properties": 1}


@pytest.mark.parametrize(
    ("source", "text", "utc", "day"),
    [
        ({"timezone": "Europe/London"}, "2024-06-01 00:30:00", at(2024, 5, 31, 23, 30), date(2024, 6, 1)),
        ({"timezone": "UTC"}, "2024-05-31 23:30:00", at(2024, 5, 31, 23, 30), date(2024, 6, 1)),
        ({"timezone": "America/New_York"}, "2024-05-31 19:30:00", at(2024, 5, 31, 23, 30), date(2024, 6, 1)),
        ({"timezone": "America/New_York"}, "2024-05-31T23:30:00Z", at(2024, 5, 31, 23, 30), date(2024, 6, 1)),
        ({"time_format": "%m/%d/%Y %I:%M %p"}, "5/31/2024 11:30 PM", at(2024, 5, 31, 23, 30), date(2024, 6, 1)),
        ({"time_format": "%Y-%m-%d %H:%M %z"}, "2024-06-01 01:30 +0200", at(2024, 5, 31, 23, 30), date(2024, 6, 1)),
        ({"time_format": "epoch_s"}, "1717198200", at(2024, 5, 31, 23, 30), date(2024, 6, 1)),
        ({"time_format": "epoch_ms"}, "1717198200000", at(2024, 5, 31, 23, 30), date(2024, 6, 1)),
    ],
)  # fmt: skip
def test_times_become_utc_and_days_the_shops(
    source: dict[str, object], text: str, utc: datetime, day: date, write: Write, land: Land, home: Home
) -> None:
    land(write("a.csv", f"user,time,type,qty,price\nu,{text},view,,\n"), mapping_of(**source), timezone="Europe/London")
    assert events(home, "event_time, known_date") == [(utc, day)]


def test_live_rows_are_known_at_their_first_arrival_and_history_rows_at_their_event(
    write: Write, land: Land, home: Home
) -> None:
    late = datetime(2024, 5, 31, 23, 30, tzinfo=UTC)
    report = land(write("a.csv", CSV), mode="live", timezone="Europe/London", arrived=late)
    assert report.days == {date(2024, 6, 1): 4}
    assert set(events(home, "known_at, known_date")) == {(at(2024, 5, 31, 23, 30), date(2024, 6, 1))}
    assert Ledger(home).watermark() == date(2024, 5, 31)
    assert Ledger(home).history_watermark() is None


def test_a_retry_on_a_later_day_keeps_the_recorded_arrival(write: Write, land: Land, home: Home) -> None:
    path = write("a.csv", CSV)
    with pytest.raises(InputError, match="no column"):
        land(path, mapping_of({"user_id": "usr", "event_time": "time", "event_type": "type"}), mode="live")
    later = datetime(2024, 6, 9, tzinfo=UTC)
    assert look(path, "live", mapping_of(), home, "UTC", later) == DayRange(ARRIVED.date(), ARRIVED.date())
    assert list(land(path, mode="live", arrived=later).days) == [ARRIVED.date()]


def test_a_history_load_twice_changes_nothing(write: Write, land: Land, home: Home) -> None:
    path = write("a.csv", CSV)
    first = land(path)
    before = {file: file.read_bytes() for file in home.lake.rglob("*") if file.is_file()}
    again = land(path.rename(path.with_name("renamed.csv")))
    assert (again.status, again.rows, again.days) == ("already landed", first.rows, first.days)
    assert {file: file.read_bytes() for file in home.lake.rglob("*") if file.is_file()} == before


def test_one_fragment_for_each_day_and_file(write: Write, land: Land, home: Home) -> None:
    report = land(write("a.csv", CSV))
    land(write("b.csv", CSV.replace("13085", "9")))
    assert report.days == {date(2024, 3, 1): 3, date(2024, 3, 3): 1}
    assert (report.first_event_day, report.last_event_day) == (date(2024, 3, 1), date(2024, 3, 3))
    assert report.event_types == {"adjustment": 1, "purchase": 1, "return": 1, "view": 1}
    assert len(Ledger(home).fragments()) == len(list(home.events.rglob("*.parquet"))) == 4
    assert Ledger(home).watermark() == date(2024, 3, 2)
    assert not list((home.lake / ".staging").glob("*"))


def test_splitting_a_file_changes_no_event(write: Write, land: Land, home: Home, tmp_path: Path) -> None:
    header, *rows = CSV.splitlines(keepends=True)
    land(write("whole.csv", CSV))
    other = Home(tmp_path / "other").create()
    for number, part in enumerate((rows[:1], rows[1:])):
        ingest(write(f"part{number}.csv", header + "".join(part)), "history", mapping_of(), other, "UTC", ARRIVED)
    content = "event_id, user_id, event_time, known_at, event_type, amount, known_date"
    assert sorted(events(home, content)) == sorted(events(other, content))


def test_a_day_that_the_copy_wrote_in_two_files_becomes_one(tmp_path: Path) -> None:
    split, single = tmp_path / "parts" / "known_date=2024-03-01", tmp_path / "parts" / "known_date=2024-03-02"
    for folder, name, rows in ((split, "data_0", [1, 2]), (split, "data_1", [3]), (single, "data_0", [4])):
        folder.mkdir(parents=True, exist_ok=True)
        pl.DataFrame({"row": rows}).write_parquet(folder / f"{name}.parquet")
    with duckdb.connect() as connection:
        merge_parts(connection, tmp_path)
    (merged,) = split.iterdir()
    assert sorted(pl.read_parquet(merged)["row"]) == [1, 2, 3]
    assert [path.name for path in single.iterdir()] == ["data_0.parquet"]


def test_many_days_become_one_fragment_each_though_few_files_may_be_open(
    tmp_path: Path, land: Land, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churn_platform.lake.reading.OPEN_FILES", 3)
    days = pl.datetime_range(at(2023, 1, 1), at(2023, 2, 1), interval="1d", eager=True)
    pl.DataFrame({"time": days.sample(50_000, with_replacement=True, seed=1)}).with_columns(
        user=pl.lit("u"), type=pl.lit("view"), qty=1, price=2.0
    ).write_parquet(tmp_path / "a.parquet")
    report = land(tmp_path / "a.parquet")
    assert len(list(home.events.rglob("*.parquet"))) == len(days) == len(report.days)
    assert sorted(events(home, "source_row")) == [(row,) for row in range(1, 50_001)]


def test_looking_finds_the_days_and_lands_nothing(write: Write, land: Land, home: Home) -> None:
    path = write("a.csv", CSV + "u,not a date,view,,\n")
    expected = DayRange(date(2024, 3, 1), date(2024, 3, 3))
    assert look(path, "history", mapping_of(), home, "UTC", ARRIVED) == expected
    assert look(path, "live", mapping_of(), home, "UTC", ARRIVED) == DayRange(ARRIVED.date(), ARRIVED.date())
    assert not home.ledger_file.exists()
    assert not list(home.events.iterdir())
    land(path)
    assert look(path, "history", mapping_of(), home, "UTC", ARRIVED) == expected


def test_progress_ends_with_the_number_of_records(write: Write, home: Home) -> None:
    seen: list[tuple[int, int]] = []
    path = write("a.csv", CSV + ",2024-03-01,view,,\n")
    ingest(path, "history", mapping_of(), home, "UTC", ARRIVED, lambda rows, expected: seen.append((rows, expected)))
    assert seen[-1] == (5, 5)
    assert seen == sorted(seen)


def test_a_home_accepts_one_source(write: Write, land: Land, home: Home) -> None:
    land(write("a.csv", CSV))
    with pytest.raises(InputError, match="'shop', the mapping says 'other'"):
        land(write("b.csv", CSV + "u,2024-03-01,view,,\n"), mapping_of(name="other"))
    assert len(Ledger(home).landed()) == 1


def test_quarantined_rows_leave_no_trace_in_the_fragments(write: Write, land: Land, home: Home) -> None:
    report = land(write("a.csv", CSV + ",2024-03-01,view,,\n"))
    assert quarantined(home, report.fingerprint) == [
        (5, "missing user_id", None, '{"user":null,"time":"2024-03-01","type":"view","qty":null,"price":null}')
    ]
    schema = pl.read_parquet_schema(Ledger(home).fragments()[0])
    assert list(schema)[-1] == "source_row"
    assert len(schema) == 19
