"""The data readiness in the terminal."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from rich.console import Console

from churn_platform.core.data_readiness import Level, RuleVerdict
from churn_platform.reports.data_readiness import PAGE, Report, Week
from churn_platform.settings import Home
from churn_platform.summary import print_readiness

REPORT = Report(
    source="tiny",
    first_day=date(2025, 1, 1),
    last_day=date(2025, 1, 31),
    definition_version="abc123",
    made_at=datetime(2025, 2, 1, tzinfo=UTC),
    verdicts=[
        RuleVerdict("history_length", "pass", "31 days", "at least 30 days", ""),
        RuleVerdict("clock", "warn", "1 row [red] before 1990", "none", "Check the clock."),
    ],
    weeks=[Week(date(2025, 1, 6), 10, 2)],
)


def printed(report: Report, home: Path, *, colours: bool) -> str:
    told = io.StringIO()
    print_readiness(report, Home(home), Console(file=told, width=110, force_terminal=colours))
    return told.getvalue()


def test_each_rule_stands_with_its_verdict_and_what_to_do(tmp_path: Path) -> None:
    told = printed(REPORT, tmp_path, colours=False)
    assert told.startswith("Ready, with warnings: data from 2025-01-01 to 2025-01-31\n")
    assert "history_length" in told and "at least 30 days" in told
    assert "1 row [red] before 1990" in told, "text of the data is no markup"
    assert "→ Check the clock." in told
    assert told.rstrip().endswith(PAGE)
    assert "\x1b[" not in told


@pytest.mark.parametrize(("level", "colour"), [("pass", "32"), ("warn", "1;33"), ("fail", "1;31")])
def test_in_a_terminal_the_verdict_has_a_colour_beside_its_word(tmp_path: Path, level: Level, colour: str) -> None:
    [rule, _] = REPORT.verdicts
    report = replace(REPORT, verdicts=[replace(rule, verdict=level, advice="" if level == "pass" else "act")])
    assert f"\x1b[{colour}m{level}" in printed(report, tmp_path, colours=True)
