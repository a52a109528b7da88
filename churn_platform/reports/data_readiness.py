"""The data-readiness report of a home: a page to read, and the same as JSON for `churn readiness`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter

from churn_platform.core.data_readiness import RULES, Level, RuleVerdict, worst
from churn_platform.errors import UsageError
from churn_platform.reports.page import render_page, write_file

PAGE = "data_readiness.html"
RECORD = "data_readiness.json"
WORDS: dict[Level, str] = {"pass": "Ready", "warn": "Ready, with warnings", "fail": "Not ready: no model is trained"}
CHART_WIDTH, CHART_HEIGHT = 960.0, 140.0


@dataclass(frozen=True)
class Week:
    """The events of one week that begins on a Monday; `activities` are those that show that a customer is alive."""

    start: date
    events: int
    activities: int


@dataclass(frozen=True)
class Report:
    """The verdicts on one state of the data, and what they were made from.

    Attributes:
        source: name of the source in the mapping.
        first_day, last_day: first arrival day and the last complete one.
        made_at: UTC.
        weeks: every week from the first event to the last, empty ones included.
    """

    source: str
    first_day: date
    last_day: date
    definition_version: str
    made_at: datetime
    verdicts: list[RuleVerdict]
    weeks: list[Week]

    @property
    def verdict(self) -> Level:
        return worst(self.verdicts)


@dataclass(frozen=True)
class _Bar:
    week: Week
    x: float
    height: float
    active_height: float


def every_week(found: Sequence[Week]) -> list[Week]:
    """The weeks in order, with an empty one for each that is missing between the first and the last."""
    known = {week.start: week for week in found}
    first, last = min(known), max(known)
    starts = [first + timedelta(weeks=number) for number in range((last - first).days // 7 + 1)]
    return [known.get(start, Week(start, 0, 0)) for start in starts]


def write_report(report: Report, folder: Path) -> Path:
    """Write the page and the record, each whole or not at all; return the page's path."""
    contents = {PAGE: render(report).encode(), RECORD: TypeAdapter(Report).dump_json(report, indent=2)}
    for name, content in contents.items():
        write_file(folder / name, content)
    return folder / PAGE


def read_report(folder: Path) -> Report:
    """The record that `write_report` left.

    Raises:
        UsageError: there is none yet.
    """
    record = folder / RECORD
    if not record.exists():
        raise UsageError(
            f"{folder} holds no data-readiness report yet. Run 'churn run' or 'make demo' first (in the UI: the job "
            "full_refresh), or name another --home."
        )
    return TypeAdapter(Report).validate_json(record.read_bytes())


def render(report: Report) -> str:
    """The page: one file that asks nothing of the network."""
    return render_page(
        PAGE,
        report=report,
        rules=RULES,
        words=WORDS[report.verdict],
        counts={level: sum(found.verdict == level for found in report.verdicts) for level in WORDS},
        bars=_bars(report.weeks),
        bar_width=CHART_WIDTH / len(report.weeks),
        width=CHART_WIDTH,
        height=CHART_HEIGHT,
        most=max(week.events for week in report.weeks),
        empty=[week for week in report.weeks if not week.events],
    )


def _bars(weeks: Sequence[Week]) -> list[_Bar]:
    scale = CHART_HEIGHT / max(week.events for week in weeks)
    step = CHART_WIDTH / len(weeks)
    return [
        _Bar(week, number * step, week.events * scale, week.activities * scale) for number, week in enumerate(weeks)
    ]
