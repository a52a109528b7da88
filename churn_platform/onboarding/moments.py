"""Which column is the time of the event; a date and a time of day in two columns are put together."""

from dataclasses import dataclass
from math import sqrt
from typing import Final

from churn_platform.lake.expressions import quoted
from churn_platform.lake.mapping import EXCEL_SERIAL
from churn_platform.onboarding.choices import LEAST, NAMED, Choice, confidence_of, plain, told_by
from churn_platform.onboarding.profile import ColumnProfile, Profile
from churn_platform.onboarding.times import EPOCHS, TimeReading, time_sql
from churn_platform.onboarding.vocabulary import is_other_moment

ISO_DATE: Final = "%Y-%m-%d"
ISO_CLOCKS: Final = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f")
NUMBERS: Final = (*EPOCHS, EXCEL_SERIAL, "%Y%m%d")  # that any number may look like


@dataclass(frozen=True)
class Moment:
    """The time of the event: its choice, its format as [source] takes it, and SQL over the sample for its day."""

    choice: Choice
    time_format: str | None
    reading: TimeReading
    day_sql: str


def find_moment(profile: Profile) -> Moment | None:
    """The likeliest time of the event; None if no column reads as times."""
    timed = [(column, column.time) for column in profile.columns.values() if column.time is not None]
    timed.sort(key=lambda pair: -confidence_as_time(*pair))
    if not timed or confidence_as_time(*timed[0]) < LEAST:
        return None
    column, reading = timed[0]
    confidence = confidence_as_time(column, reading)
    day_sql = f"CAST({time_sql(reading.time_format, quoted(column.name))} AS DATE)"
    evidence = _evidence(column, reading)
    clock = _clock_for(profile, reading)
    if clock is None:
        choice = Choice("event_time", _as_text(column, reading), (column.name,), confidence, evidence)
        return Moment(choice, reading.time_format, reading, day_sql)
    expression, time_format = _together(column, reading, clock)
    evidence = f"{evidence}; '{clock.name}' holds the times of day"
    choice = Choice("event_time", expression, (column.name, clock.name), confidence, evidence)
    return Moment(choice, time_format, reading, day_sql)


def confidence_as_time(column: ColumnProfile, reading: TimeReading) -> float:
    """The confidence that a column that reads as times holds those of the events.

    A text that reads as a date hardly means something else, whatever its header; a number may.
    """
    other = 0.6 if is_other_moment(column.name) else 1.0
    name = column.name_scores.get("event_time", 0.0) * other
    content = reading.share * sqrt(column.filled) * (0.7 if reading.doubt else 1.0)
    if name >= NAMED:
        return confidence_of(name, content)
    return content * (0.24 if reading.time_format in NUMBERS else 0.75 * other)


def is_other_date(column: ColumnProfile) -> bool:
    """Whether a column holds dates in a form that no number looks like."""
    return column.time is not None and column.time.time_format not in NUMBERS


def _evidence(column: ColumnProfile, reading: TimeReading) -> str:
    what = f"{reading.share:.0%} of its values read as {reading.time_format or 'ISO 8601'}"
    span = f"{reading.first.date()} to {reading.last.date()}"
    parts = [told_by(column.name_scores.get("event_time", 0.0), column.name), f"{what}, {span}"]
    return "; ".join([*parts, *([reading.doubt] if reading.doubt else [])])


def _as_text(column: ColumnProfile, reading: TimeReading) -> str:
    """The column; as text where a typed file holds numbers that are dates in digits."""
    name = plain(column.name)
    digits = column.kind != "VARCHAR" and "%" in (reading.time_format or "")
    return f"CAST({name} AS VARCHAR)" if digits else name


def _clock_for(profile: Profile, reading: TimeReading) -> ColumnProfile | None:
    """The column of times of day that belongs to a column of dates."""
    has_clock = any(part in (reading.time_format or "") for part in ("%H", "%I", *EPOCHS, EXCEL_SERIAL))
    if has_clock or not reading.date_only:
        return None
    clocks = [column for column in profile.columns.values() if column.clock is not None]
    return max(clocks, key=lambda column: column.name_scores.get("event_time", 0.0), default=None)


def _together(column: ColumnProfile, reading: TimeReading, clock: ColumnProfile) -> tuple[str, str | None]:
    day = _as_text(column, reading)
    if reading.time_format is None and column.mean_length > len("2024-03-01"):
        day = f"left({day}, 10)"
    expression = f"{day} || ' ' || {plain(clock.name)}"
    if reading.time_format is None and clock.clock in ISO_CLOCKS:
        return expression, None
    return expression, f"{reading.time_format or ISO_DATE} {clock.clock}"
