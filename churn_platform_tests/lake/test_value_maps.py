"""[values.<column>]: a source's own words become ours, and what no word names is told."""

from collections.abc import Callable
from collections.abc import Mapping as MappingType
from pathlib import Path

import pytest
from pydantic import ValidationError

from churn_platform.lake.ingest import FileReport
from churn_platform.lake.mapping import Mapping
from churn_platform.settings import Home
from churn_platform_tests.lake.shop_files import events, quarantined

Write = Callable[[str, bytes | str], Path]
Land = Callable[..., FileReport]

COLUMNS = {"user_id": "user", "event_time": "time", "event_type": "type", "channel": "shop", "unit_price": "price"}
WORDS = {"bought": "purchase", "Looked At": "view", "PAID": "purchase", "paid": "support_contact"}


def mapping_with(values: MappingType[str, object], **changed: object) -> Mapping:
    return Mapping.model_validate({"source": {"name": "shop"}, "columns": COLUMNS, "values": values, **changed})


def types_of(words: list[str], write: Write, land: Land, home: Home) -> list[object]:
    rows = "".join(f"u,2024-03-01,{word},web,1\n" for word in words)
    land(write("a.csv", f"user,time,type,shop,price\n{rows}"), mapping_with({"event_type": WORDS}))
    return [found for (found,) in events(home, "event_type")]


def test_a_word_matches_exactly_and_else_whatever_its_case(write: Write, land: Land, home: Home) -> None:
    words = ["bought", " bought ", "BOUGHT", "looked at", "PAID", "paid"]
    expected = ["purchase", "purchase", "purchase", "view", "purchase", "support_contact"]
    assert types_of(words, write, land, home) == expected


def test_a_word_whose_case_would_decide_and_fits_none_passes_through(write: Write, land: Land, home: Home) -> None:
    assert types_of(["Paid", "signup"], write, land, home) == ["Paid", "signup"]


def test_values_outside_the_map_are_counted_by_name_and_ours_are_not(write: Write, land: Land, home: Home) -> None:
    words = ["bought"] * 2 + ["purchase", "gift", "gift", "wish"]
    rows = "".join(f"u,2024-03-01,{word},Web,1\n" for word in words)
    free = "u,2024-03-01,bought,web,0\n"
    path = write("a.csv", f"user,time,type,shop,price\n{rows}{free},2024-03-01,nobody,web,1\n")
    mapping = mapping_with(
        {"event_type": WORDS, "channel": {"web": "online"}}, source={"name": "shop", "max_rejected_share": 0.5}
    )
    report = land(path, mapping)
    assert report.unmapped == {"event_type": {"gift": 2, "wish": 1}}
    assert report.event_types == {"adjustment": 1, "gift": 2, "purchase": 3, "wish": 1}
    (note,) = report.notes
    assert "'gift' (2 rows), 'wish' (1 rows)" in note
    assert land(path, mapping).unmapped == report.unmapped
    assert set(events(home, "channel")) == {("online",)}
    ((_, reason, *_),) = quarantined(home, report.fingerprint)
    assert reason == "missing user_id"


def test_a_file_whose_values_are_all_named_gives_no_note(write: Write, land: Land) -> None:
    report = land(
        write("a.csv", "user,time,type,shop,price\nu,2024-03-01,bought,,1\n"), mapping_with({"event_type": WORDS})
    )
    assert (report.unmapped, report.notes) == ({}, [])


def test_words_with_quotes_are_only_words(write: Write, land: Land, home: Home) -> None:
    mapping = mapping_with({"channel": {"it's": "o'ne'; DROP VIEW mapped; --"}})
    land(write("a.csv", "user,time,type,shop,price\nu,2024-03-01,view,it's,1\n"), mapping)
    assert events(home, "channel") == [("o'ne'; DROP VIEW mapped; --",)]


@pytest.mark.parametrize(
    ("values", "changed", "parts"),
    [
        ({"event_typ": {"a": "b"}}, {}, ["values.event_typ", "Did you mean 'event_type'?", "channel"]),
        ({"category": {"a": "b"}}, {}, ["values.category", "not a text column of [columns]"]),
        ({"unit_price": {"a": "1"}}, {}, ["values.unit_price", "not a text column"]),
        ({"event_type": {"a": " "}}, {}, ["values.event_type.a"]),
        ({"event_type": {"a": "b"}},
         {"columns": {"user_id": "u", "event_time": "t"}, "event_type": [{"then": "view"}]},
         ["values.event_type", "'then'"]),
    ],
)  # fmt: skip
def test_a_map_of_no_mapped_text_is_named(
    values: MappingType[str, object], changed: dict[str, object], parts: list[str]
) -> None:
    with pytest.raises(ValidationError) as raised:
        mapping_with(values, **changed)
    for part in parts:
        assert part in str(raised.value)
