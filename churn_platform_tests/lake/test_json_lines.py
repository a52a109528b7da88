"""Nested JSON Lines: dotted names, and the elements of an array as records, none of them lost."""

import json
import tempfile
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.errors import InputError
from churn_platform.lake.ingest import FileReport, ingest
from churn_platform.lake.mapping import read_mapping
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import ARRIVED, events, mapping_of, quarantined

Write = Callable[[str, bytes | str], Path]
Land = Callable[..., FileReport]

ORDER = {
    "user_id": "customer.id", "event_time": "at", "event_type": "'purchase'", "order_id": "number",
    "item_id": "items.sku", "quantity": "items.qty", "amount": "items.qty * items.price",
}  # fmt: skip


def as_lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def order(number: int, items: object = None, **more: object) -> dict[str, object]:
    return {"number": number, "at": "2024-03-01", "customer": {"id": f"c{number}"}, "items": items, **more}


def item(sku: str, qty: object = 1, price: object = 2) -> dict[str, object]:
    return {"sku": sku, "qty": qty, "price": price}


def test_a_dotted_name_is_a_field_of_a_nested_object_at_any_depth(write: Write, land: Land, home: Home) -> None:
    columns = {"user_id": "Customer.id", "event_time": "at", "event_type": "'view'", "channel": "upper(meta.from.app)",
               "amount": "meta.qty * 2"}  # fmt: skip
    first = {"at": "2024-03-01", "customer": {"id": 7}, "meta": {"qty": 2, "from": {"app": "ios"}}}
    second = {"at": "2024-03-02", "customer": {"id": "8"}, "meta": None}
    land(write("a.jsonl", as_lines(first, second)), mapping_of(columns))
    assert events(home, "user_id, channel, amount") == [("7", "IOS", Decimal(4)), ("8", None, None)]


def test_a_column_of_the_whole_dotted_name_wins(write: Write, land: Land, home: Home) -> None:
    columns = {"user_id": "customer.id", "event_time": "at", "event_type": "'view'"}
    record = {"at": "2024-03-01", "customer": {"id": "nested"}, "customer.id": "whole"}
    land(write("a.jsonl", as_lines(record)), mapping_of(columns))
    land(write("b.csv", "at,customer.id\n2024-03-01,column\n"), mapping_of(columns))
    assert events(home, "user_id") == [("whole",), ("column",)]


@pytest.mark.parametrize(
    ("user", "parts"),
    [
        ("customer.idd", ["columns.user_id", "'customer.idd'", "Did you mean 'customer.id'?"]),
        ("custmer.id", ["'custmer.id'", "Existing: at, customer, items, number."]),
        ("items.skuu", ["'items.skuu'", "Did you mean 'items.sku'?", "items.price"]),
    ],
)
def test_a_path_that_no_line_has_is_named_with_its_neighbours(
    user: str, parts: list[str], write: Write, land: Land
) -> None:
    with pytest.raises(InputError) as raised:
        land(write("a.jsonl", as_lines(order(1, [item("a")]))), mapping_of(ORDER | {"user_id": user}, unnest="items"))
    for part in parts:
        assert part in str(raised.value)


def test_each_element_is_a_record_beside_the_fields_around_it(write: Write, land: Land, home: Home) -> None:
    path = write("a.jsonl", as_lines(order(1, [item("a"), item("b", 3)]), order(2, [item("a")])))
    report = land(path, mapping_of(ORDER, unnest="items"))
    assert report.rows == 3
    assert events(home, "source_row, user_id, order_id, item_id, amount") == [
        (1, "c1", "1", "a", Decimal(2)), (1, "c1", "1", "b", Decimal(6)), (2, "c2", "2", "a", Decimal(2)),
    ]  # fmt: skip


def test_equal_elements_of_one_line_are_two_events_and_the_same_line_again_is_none(
    write: Write, land: Land, home: Home
) -> None:
    line = as_lines(order(1, [item("a"), item("a")]))
    land(write("a.jsonl", line * 2), mapping_of(ORDER, unnest="items"))
    land(write("b.jsonl", "\n" + line), mapping_of(ORDER, unnest="items"))
    ids = [found for (found,) in events(home, "event_id")]
    assert len(ids) == 6
    assert len(set(ids)) == 2


def test_a_record_without_elements_is_one_record(write: Write, land: Land, home: Home) -> None:
    without = order(3)
    del without["items"]
    report = land(
        write("a.jsonl", as_lines(order(1, []), order(2, None), without, order(4, [item("a")]))),
        mapping_of(ORDER, unnest="items"),
    )
    assert (report.rows, report.quarantined) == (4, 0)
    assert events(home, "order_id, item_id") == [("1", None), ("2", None), ("3", None), ("4", "a")]


def test_what_is_no_array_and_a_bad_element_are_quarantined_with_their_text(
    write: Write, land: Land, home: Home
) -> None:
    lines = as_lines(order(1, {"sku": "a"}), order(2, [item("a"), item("b", "two")], note="x"), order(3, [item("c")]))
    report = land(write("a.jsonl", f"{lines}broken\n"), mapping_of(ORDER, unnest="items", max_rejected_share=0.9))
    assert report.reasons == {"broken JSON": 1, "items is not an array": 1, "unreadable quantity": 1}
    assert events(home, "source_row, item_id") == [(2, "a"), (3, "c")]
    first, second, third = quarantined(home, report.fingerprint)
    assert first[:3] == (1, "items is not an array", '{"sku":"a"}')
    assert json.loads(str(first[3]))["record"] == order(1, {"sku": "a"})
    around = {key: value for key, value in order(2, note="x").items() if key != "items"}
    assert json.loads(str(second[3])) == {"record": around, "element": item("b", "two")}
    assert (third[0], json.loads(str(third[3]))["record"]) == (4, "broken")


def test_an_element_that_is_no_object_is_quarantined_and_its_neighbours_land(
    write: Write, land: Land, home: Home
) -> None:
    records = [order(1, [item("a"), 5, None, [1], "b", item("a")]), order(2, [None])]
    report = land(write("a.jsonl", as_lines(*records)), mapping_of(ORDER, unnest="items", max_rejected_share=0.9))
    assert (report.rows, report.reasons) == (2, {"an element of items is no object": 5})
    assert events(home, "source_row, item_id") == [(1, "a"), (1, "a")]
    assert len(set(events(home, "event_id"))) == 2
    found = quarantined(home, report.fingerprint)
    assert sorted((row, str(text)) for row, _, text, _ in found) == [
        (1, '"b"'), (1, "5"), (1, "[1]"), (1, "null"), (2, "null"),
    ]  # fmt: skip
    around = {key: value for key, value in order(1).items() if key != "items"}
    originals = [json.loads(str(original)) for *_, original in found[:4]]
    assert {json.dumps(original["record"]) for original in originals} == {json.dumps(around)}
    assert [original["element"] for original in originals if original["element"] == 5] == [5]


def test_an_array_within_an_object_and_of_plain_values(write: Write, land: Land, home: Home) -> None:
    columns = {"user_id": "user", "event_time": "at", "event_type": "'view'", "item_id": "seen.skus"}
    record = {"at": "2024-03-01", "user": "u", "seen": {"page": 1, "skus": ["a", "b"]}}
    land(write("a.jsonl", as_lines(record)), mapping_of(columns, unnest="seen.skus"))
    assert events(home, "item_id") == [("a",), ("b",)]


def test_unnest_is_for_json_lines_and_must_name_an_array_that_is_there(write: Write, land: Land) -> None:
    with pytest.raises(InputError, match=r"source\.unnest: a\.csv is csv\. Only JSON Lines"):
        land(write("a.csv", "at,user\n2024-03-01,u\n"), mapping_of(ORDER, unnest="items"))
    with pytest.raises(InputError, match=r"source\.unnest: a\.jsonl has no column 'itms'.* Did you mean 'items'"):
        land(write("a.jsonl", as_lines(order(1, [item("a")]))), mapping_of(ORDER, unnest="itms"))


@pytest.mark.parametrize(("event_id", "fine"), [("number", False), ("items.line", True), ("number || items.sku", True)])
def test_an_event_id_must_tell_the_elements_apart(event_id: str, fine: bool, write: Write) -> None:
    text = (
        '[source]\nname = "shop"\nunnest = "items"\n[columns]\nuser_id = "u"\nevent_time = "t"\n'
        f'event_type = "\'view\'"\nevent_id = "{event_id}"\n'
    )
    path = write("mapping.toml", text)
    if fine:
        assert read_mapping(path).columns["event_id"] == event_id
    else:
        with pytest.raises(InputError, match=r"columns\.event_id .*names no field of an element of 'items'"):
            read_mapping(path)


def test_a_line_with_very_many_elements_needs_little_memory(write: Write, home: Home) -> None:
    items = [item(f"s{number}", "bad" if number % 20 == 0 else 1) for number in range(40_000)]
    path = write("a.jsonl", as_lines(order(1, items)))
    mapping = mapping_of(ORDER, unnest="items")
    report = ingest(path, "history", mapping, home, "UTC", ARRIVED, memory_limit="600MB")
    assert (report.rows, report.reasons) == (38_000, {"unreadable quantity": 2_000})


ITEMS = st.one_of(
    st.none(),
    st.just({"sku": "a"}),
    st.lists(st.sampled_from([item("a"), item("b", "two"), item("c", None, None), None, 5]), max_size=4),
)
LINES = st.lists(
    st.one_of(ITEMS.map(lambda items: json.dumps(order(1, items))), st.just("{broken")), min_size=1, max_size=8
)


def elements_of(line: str) -> int:
    """How many records a line must give."""
    items = json.loads(line)["items"] if line != "{broken" else None
    return max(1, len(items)) if isinstance(items, list) else 1


@settings(deadline=None, max_examples=15)
@given(lines=LINES)
def test_every_element_lands_or_is_quarantined_with_its_line(lines: Sequence[str]) -> None:
    good = json.dumps(order(1, [item("a")]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        path.write_text("\n".join([good, *lines]) + "\n", encoding="utf-8")
        home = Home(Path(folder) / "home").create()
        mapping = mapping_of(ORDER, unnest="items", max_rejected_share=1.0)
        report = ingest(path, "history", mapping, home, "UTC", ARRIVED)
        bad = quarantined(home, report.fingerprint) if report.quarantined else []
        rows = [int(str(row[0])) for row in [*events(home, "source_row"), *bad]]
    expected = [number for number, line in enumerate([good, *lines], start=1) for _ in range(elements_of(line))]
    assert sorted(rows) == expected
    assert report.rows + report.quarantined == len(expected)
