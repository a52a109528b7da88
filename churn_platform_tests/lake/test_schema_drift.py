"""Columns that come, go or change their type between the files of one source."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from churn_platform.errors import InputError
from churn_platform.lake.ingest import FileReport, look
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import Mapping
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import ARRIVED, at, events, mapping_of, quarantined

Write = Callable[[str, bytes | str], Path]
Land = Callable[..., FileReport]

HEADER = "user,time,type,qty,price,unused\n"
FIRST = HEADER + "u,2024-03-01,view,1,2,x\n"


def properties(home: Home) -> list[object]:
    return [json.loads(str(found)) if found else None for (found,) in events(home, "properties")]


def test_a_new_column_is_kept_in_properties_and_told_once(write: Write, land: Land, home: Home) -> None:
    first = land(write("a.csv", FIRST))
    second = land(
        write(
            "b.csv", "user,time,Coupon,type,qty,price,unused\nu,2024-03-02,SAVE5,view,1,2,x\nu,2024-03-02,,view,1,3,x\n"
        )
    )
    third = land(write("c.csv", "coupon,user,time,type,qty,price,unused\nNEW,u,2024-03-03,view,1,2,x\n"))
    assert (first.new_columns, second.new_columns, third.new_columns) == ([], ["Coupon"], [])
    assert second.notes == ["new columns, kept in properties: Coupon"]
    assert properties(home) == [None, {"Coupon": "SAVE5"}, None, {"coupon": "NEW"}]
    assert Ledger(home).landed()[second.fingerprint].columns == [
        "user",
        "time",
        "Coupon",
        "type",
        "qty",
        "price",
        "unused",
    ]


def test_a_new_column_joins_the_properties_that_the_mapping_makes_and_never_overrides_them(
    write: Write, land: Land, home: Home
) -> None:
    mapping = Mapping.model_validate(mapping_of().model_dump() | {"properties": {"tier": "unused", "gone": "price"}})
    land(write("a.csv", FIRST), mapping)
    land(write("b.csv", "user,time,type,qty,price,unused,tier,age\nu,2024-03-02,view,1,,x,mine,30\n"), mapping)
    assert properties(home) == [{"tier": "x", "gone": "2"}, {"tier": "x", "gone": None, "age": "30"}]


@pytest.mark.parametrize(
    ("given", "kept"),
    [('{"a": 1}', {"a": 1, "age": "30"}), ("[1, 2]", {"properties": [1, 2], "age": "30"}), ("", {"age": "30"}),
     ('{"age": 7, "b": null}', {"age": 7, "b": None})],
)  # fmt: skip
def test_a_new_column_joins_the_properties_that_the_source_has(
    given: str, kept: object, write: Write, land: Land, home: Home
) -> None:
    mapping = mapping_of({"user_id": "user", "event_time": "time", "event_type": "'view'", "properties": "more"})
    land(write("a.csv", "user;time;more\nu;2024-03-01;\n"), mapping)
    land(write("b.csv", f"user|time|more|age\nu|2024-03-02|{given}|30\n"), mapping)
    assert properties(home)[-1] == kept


def test_the_same_rows_with_one_more_column_are_the_same_events(write: Write, land: Land, home: Home) -> None:
    land(write("a.csv", FIRST))
    land(write("b.csv", FIRST.replace("unused", "unused,extra").replace(",x", ",x,1")))
    (first,), (second,) = events(home, "event_id")
    assert first == second


def test_new_keys_of_json_lines_keep_their_json(write: Write, land: Land, home: Home) -> None:
    line = {"user": "u", "time": "2024-03-01", "type": "view", "qty": 1, "price": 2}
    land(write("a.jsonl", json.dumps(line) + "\n"))
    more = [line] * 1500 + [line | {"geo": {"lat": 1.5}, "tags": [1], "": 1, "User": "other"}]
    report = land(write("b.jsonl", "".join(json.dumps(record) + "\n" for record in more)))
    assert report.new_columns == ["geo", "tags"]
    assert properties(home)[-1] == {"geo": {"lat": 1.5}, "tags": [1]}
    assert events(home, "DISTINCT user_id") == [("u",)]


def test_a_key_with_a_nul_costs_no_row(write: Write, land: Land, home: Home) -> None:
    line = {"user": "u", "time": "2024-03-01", "type": "view", "qty": 1, "price": 2}
    land(write("a.jsonl", json.dumps(line) + "\n"))
    report = land(write("b.jsonl", json.dumps(line | {"bad\0key": 1, "tag": "x"}) + "\n" + json.dumps(line) + "\n"))
    assert (report.rows, report.quarantined, report.new_columns) == (2, 0, ["tag"])
    assert properties(home) == [None, {"tag": "x"}, None]


@pytest.mark.parametrize(("keys", "kept"), [(100, True), (101, False), (1001, False)])
def test_keys_that_are_data_are_no_columns(keys: int, kept: bool, write: Write, land: Land, home: Home) -> None:
    line = {"user": "u", "time": "2024-03-01", "type": "view", "qty": 1, "price": 2}
    land(write("a.jsonl", json.dumps(line) + "\n"))
    many = "".join(json.dumps(line | {f"visit {number}": 1}) + "\n" for number in range(keys))
    report = land(write("b.jsonl", many))
    assert (report.rows, len(report.new_columns)) == (keys, keys if kept else 0)
    assert properties(home)[-1] == ({f"visit {keys - 1}": 1} if kept else None)
    few = land(write("c.jsonl", json.dumps(line | {"visit 0": 1}) + "\n"))
    assert few.new_columns == ([] if kept else ["visit 0"])


def test_fields_of_elements_drift_as_columns_do(write: Write, land: Land, home: Home) -> None:
    columns = {"user_id": "user", "event_time": "time", "event_type": "'view'", "item_id": "items.sku",
               "quantity": "items.qty"}  # fmt: skip
    mapping, line = mapping_of(columns, unnest="items"), {"user": "u", "time": "2024-03-01"}
    land(write("a.jsonl", json.dumps(line | {"items": [{"sku": "a", "qty": 1}]})), mapping)
    lacking = land(write("b.jsonl", json.dumps(line | {"items": [{"sku": "b"}]}) + "\n"), mapping)
    without = land(write("c.jsonl", json.dumps(line) + "\n"), mapping)
    again = land(write("d.jsonl", json.dumps(line | {"items": [{"sku": "a", "qty": 1}]}) + "\n"), mapping)
    assert (lacking.missing_columns, without.missing_columns) == (["items.qty"], ["items.sku", "items.qty"])
    assert again.notes == []
    assert events(home, "item_id, quantity") == [("a", Decimal(1)), ("b", None), (None, None), ("a", Decimal(1))]


def test_new_fields_of_nested_objects_that_the_mapping_uses_are_kept(write: Write, land: Land, home: Home) -> None:
    columns = {"user_id": "customer.id", "event_time": "at", "event_type": "'view'", "channel": "meta.from.app"}
    first = {"at": "2024-03-01", "customer": {"id": 1}, "meta": {"from": {"app": "ios"}}, "other": {"x": 1}}
    land(write("a.jsonl", json.dumps(first) + "\n"), mapping_of(columns))
    second = {"at": "2024-03-02", "customer": {"id": 1, "tier": "gold"}, "other": {"x": 1, "y": 2},
              "meta": {"page": 3, "from": {"app": "ios", "version": [2]}}}  # fmt: skip
    report = land(write("b.jsonl", json.dumps(second) + "\n"), mapping_of(columns))
    assert sorted(report.new_columns) == ["customer.tier", "meta.from.version", "meta.page"]
    assert properties(home) == [None, {"customer.tier": "gold", "meta.page": 3, "meta.from.version": [2]}]


def test_new_fields_of_elements_and_around_them_are_kept(write: Write, land: Land, home: Home) -> None:
    columns = {"user_id": "user", "event_time": "at", "event_type": "'view'", "item_id": "cart.items.sku"}
    mapping, line = mapping_of(columns, unnest="cart.items"), {"user": "u", "at": "2024-03-01"}
    land(write("a.jsonl", json.dumps(line | {"cart": {"items": [{"sku": "a"}]}}) + "\n"), mapping)
    cart = {"gift": True, "items": [{"sku": "b", "color": "red"}, {"sku": "c"}]}
    report = land(write("b.jsonl", json.dumps(line | {"cart": cart}) + "\n"), mapping)
    assert sorted(report.new_columns) == ["cart.gift", "cart.items.color"]
    assert sorted(str(found) for found in properties(home)) == sorted(
        map(str, [None, {"cart.gift": True, "cart.items.color": "red"}, {"cart.gift": True}])
    )


def test_new_typed_columns_keep_their_type(tmp_path: Path, land: Land, home: Home) -> None:
    frame = pl.DataFrame({"user": ["u"], "time": [at(2024, 3, 1)], "type": ["view"], "qty": [1], "price": [2.5]})
    frame.write_parquet(tmp_path / "a.parquet")
    frame.with_columns(age=30, vip=True).write_parquet(tmp_path / "b.parquet")
    for name in ("a", "b"):
        land(tmp_path / f"{name}.parquet")
    assert properties(home) == [None, {"age": 30, "vip": True}]


def test_a_missing_optional_column_is_null_and_told(write: Write, land: Land, home: Home) -> None:
    columns = {
        "user_id": "user",
        "event_time": "time",
        "event_type": "type",
        "amount": "qty * price",
        "channel": "lower(shop)",
    }
    mapping = mapping_of(columns)
    land(write("a.csv", "user,time,type,qty,price,shop\nu,2024-03-01,view,2,3,WEB\n"), mapping)
    lacking = write("b.csv", "user,time,type,qty\nu,2024-03-02,view,2\n")
    assert look(lacking, "live", mapping, home, "UTC", ARRIVED).first == ARRIVED.date()
    report = land(lacking, mapping)
    assert report.missing_columns == ["price", "shop"]
    assert report.notes == ["columns that earlier files had are missing, so NULL: price, shop"]
    assert land(lacking, mapping).missing_columns == ["price", "shop"]
    assert events(home, "amount, channel") == [(Decimal(6), "web"), (None, None)]


@pytest.mark.parametrize("column", ["user", "time", "type"])
def test_a_missing_required_column_refuses_the_file(column: str, write: Write, land: Land, home: Home) -> None:
    land(write("a.csv", FIRST))
    with pytest.raises(InputError, match=rf"b\.csv has no column '{column}'"):
        land(write("b.csv", FIRST.replace(column, "other")))
    assert len(Ledger(home).landed()) == 1


def test_a_column_of_a_type_rule_is_required(write: Write, land: Land) -> None:
    mapping = Mapping.model_validate(
        {
            "source": {"name": "shop"},
            "columns": {"user_id": "user", "event_time": "time", "quantity": "qty"},
            "event_type": [{"when": "qty < 0", "then": "return"}, {"then": "purchase"}],
        }
    )
    land(write("a.csv", FIRST), mapping)
    with pytest.raises(InputError, match="no column 'qty'"):
        land(write("b.csv", FIRST.replace("qty", "quantity")), mapping)


def test_at_the_very_first_load_every_mapped_column_must_be_there(write: Write, land: Land) -> None:
    with pytest.raises(InputError, match=r"columns\.unit_price: a\.csv has no column 'price'"):
        land(write("a.csv", "user,time,type,qty\nu,2024-03-01,view,1\n"))


def test_a_column_that_no_file_ever_had_is_a_mistake_of_the_mapping(write: Write, land: Land) -> None:
    land(write("a.csv", FIRST))
    columns = {"user_id": "user", "event_time": "time", "event_type": "type", "channel": "shopp"}
    with pytest.raises(InputError, match=r"columns\.channel: b\.csv has no column 'shopp'"):
        land(write("b.csv", FIRST.replace("03-01", "03-02")), mapping_of(columns))


def test_numbers_that_become_text_cost_their_rows_and_not_the_others(
    write: Write, tmp_path: Path, land: Land, home: Home
) -> None:
    land(write("a.csv", FIRST))
    report = land(write("b.csv", HEADER + "u,2024-03-02,view,1,2.5,x\nu,2024-03-02,view,one,2,x\n"))
    assert (report.rows, report.reasons) == (1, {"unreadable quantity": 1})
    assert [row[:3] for row in quarantined(home, report.fingerprint)] == [(2, "unreadable quantity", "one")]
    frame = pl.DataFrame({"user": ["u"] * 2, "time": [at(2024, 3, 3)] * 2, "type": ["view"] * 2, "qty": ["3", "many"],
                          "price": [1, 2], "unused": ["", ""]})  # fmt: skip
    frame.write_parquet(tmp_path / "c.parquet")
    typed = land(tmp_path / "c.parquet")
    assert (typed.rows, typed.reasons) == (1, {"unreadable quantity": 1})
    assert events(home, "quantity") == [(Decimal(1),), (Decimal(1),), (Decimal(3),)]
