"""The page and the record of the data readiness, as text; churn_platform_tests/browser opens it in Chromium."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from churn_platform.core.data_readiness import RULES, Level, RuleVerdict
from churn_platform.errors import UsageError
from churn_platform.reports.data_readiness import (
    PAGE,
    RECORD,
    Report,
    Week,
    every_week,
    read_report,
    render,
    write_report,
)


def report(**levels: Level) -> Report:
    """A report whose rules pass, but for those named."""
    verdicts = [
        RuleVerdict(rule, levels.get(rule, "pass"), f"saw {rule}", f"asked {rule}", "do it" if rule in levels else "")
        for rule in RULES
    ]
    return Report(
        source="tiny",
        first_day=date(2025, 1, 1),
        last_day=date(2025, 1, 31),
        definition_version="abc123",
        made_at=datetime(2025, 2, 1, 5, 30, tzinfo=UTC),
        verdicts=verdicts,
        weeks=every_week([Week(date(2025, 1, 6), 10, 2), Week(date(2025, 1, 27), 40, 40)]),
    )


def test_a_week_without_an_event_is_a_week_all_the_same() -> None:
    found = every_week([Week(date(2025, 1, 27), 4, 1), Week(date(2025, 1, 6), 1, 1)])
    assert [(week.start.day, week.events) for week in found] == [(6, 1), (13, 0), (20, 0), (27, 4)]
    assert every_week(found) == found


@pytest.mark.parametrize(("levels", "words"), [
    ({}, "Ready"),
    ({"clock": "warn"}, "Ready, with warnings"),
    ({"clock": "warn", "duplicates": "fail"}, "Not ready: no model is trained"),
])  # fmt: skip
def test_the_page_says_the_verdict_and_every_rule(levels: dict[str, Level], words: str) -> None:
    page = render(report(**levels))
    assert f"<strong>{words}</strong>" in page
    for rule, meaning in RULES.items():
        assert rule in page and meaning in page and f"saw {rule}" in page and f"asked {rule}" in page
    assert page.count("What to do:") == len(levels)
    for level in ("pass", "warn", "fail"):
        expected = list(levels.values()).count(level) if level != "pass" else len(RULES) - len(levels)
        assert page.count(f'<span class="badge {level}">{level}</span>') == expected
    assert "abc123" in page and "2025-02-01 05:30 UTC" in page


def test_a_hole_in_the_data_is_drawn_and_counted() -> None:
    page = render(report())
    assert page.count('class="hole"') == 2
    assert "2 of 4 weeks have no event: 2025-01-13, 2025-01-20." in page
    whole = replace(report(), weeks=[Week(date(2025, 1, 6), 10, 2)])
    assert 'class="hole"' not in render(whole)
    assert "Every one of the 1 weeks holds events." in render(whole)


def test_the_bars_are_as_high_as_the_weeks_are_full() -> None:
    heights = [float(found) for found in re.findall(r'class="events" [^>]*height="([0-9.]+)"', render(report()))]
    assert heights == [35.0, 140.0]
    active = [float(found) for found in re.findall(r'class="active" [^>]*height="([0-9.]+)"', render(report()))]
    assert active == [7.0, 140.0]


def test_the_page_asks_nothing_of_the_network() -> None:
    page = render(report(clock="fail"))
    assert re.findall(r"https?:|<script|<link(?! rel=\"icon\" href=\"data:,\")|@import|url\(", page) == []


def test_what_a_source_calls_its_types_is_text_and_never_markup() -> None:
    hostile = '<script>alert(1)</script>"'
    found = report()
    found = replace(found, source=hostile, verdicts=[replace(found.verdicts[0], observed=hostile)])
    page = render(found)
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;&#34;") == 3


def test_the_record_is_what_was_written_and_nothing_half_written_stays(tmp_path: Path) -> None:
    first, second = report(clock="warn"), report(clock="fail")
    assert write_report(first, tmp_path) == tmp_path / PAGE
    assert read_report(tmp_path) == first
    write_report(second, tmp_path)
    assert read_report(tmp_path) == second
    assert {path.name for path in tmp_path.iterdir()} == {PAGE, RECORD}


def test_without_a_record_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no data-readiness report yet.*churn run"):
        read_report(tmp_path)
