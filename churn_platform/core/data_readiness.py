"""Whether a shop's data can carry a churn model: the rules that are held against them before any training."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from churn_platform.core.snapshots import Windows, days_for_a_fold

Level = Literal["pass", "warn", "fail"]

RULES = {
    "history_length": "The history is long enough for the windows of the product definition.",
    "out_of_time_test": "A snapshot is left on which a model can be tested out of time.",
    "churned_examples": "Enough customers stayed away in the closed label windows.",
    "retained_examples": "Enough customers came back in the closed label windows.",
    "recent_activity": "Customers are active up to the end of the data.",
    "filled_fields": "The mapped fields hold values.",
    "known_users": "The rows say which customer acted.",
    "duplicates": "Few rows are copies of others.",
    "clock": "No event time is in the future or before 1990 (a clock at zero says 1970).",
    "times_of_day": "Events carry a time of day.",
}
MINIMUM_HISTORY_DAYS = 30
MINIMUM_HORIZONS = 3
# Above this share a person should know, below the limit of churn.toml nothing is stopped.
NOTED_SHARE = 0.05
MIDNIGHT_SHARE = 0.95
# Without these, labels or the features of orders and spend are wrong; of other fields only their own features suffer.
NEEDED_FIELDS = ("event_time", "event_type", "quantity", "unit_price", "amount", "order_id")
SHOWN_GAPS = 5


@dataclass(frozen=True)
class Limits:
    """The section [readiness] of the product definition; shares lie in [0, 1]."""

    minimum_churned: int
    minimum_retained: int
    active_within_days: int
    maximum_missing_share: float
    maximum_unknown_user_share: float
    maximum_duplicate_share: float
    maximum_clock_error_share: float


@dataclass(frozen=True)
class Examples:
    """Labelled examples of one outcome, one per customer and training snapshot, and the customers behind them."""

    rows: int
    customers: int


@dataclass(frozen=True)
class Gap:
    """How often a mapped field is empty: among all rows, or over the events of those types that ever carry it."""

    field: str
    among: Literal["rows", "activities", "other events"]
    missing: int
    events: int

    @property
    def share(self) -> float:
        return _share(self.missing, self.events)


@dataclass(frozen=True)
class Figures:
    """What was observed.

    Attributes:
        first_day: first arrival day.
        watermark: last day declared complete.
        folds: snapshots on which a model can be tested out of time.
        activity_types: what counts as an activity by the product definition.
        event_types: the types that exist in the data.
        last_activity: day of the newest activity; None without one.
        records: rows of all landed files, those in quarantine included.
        landed: rows in the lake, copies included.
        staged: rows without their copies.
        without_user, too_early, in_future: rows in quarantine for that reason.
        at_midnight: staged rows whose time of day is 00:00:00, of the shop or of UTC.
        gaps: of each mapped field, event_time among them.
    """

    first_day: date
    watermark: date
    folds: int
    churned: Examples
    retained: Examples
    activity_types: tuple[str, ...]
    event_types: tuple[str, ...]
    last_activity: date | None
    records: int
    landed: int
    staged: int
    without_user: int
    too_early: int
    in_future: int
    at_midnight: int
    gaps: tuple[Gap, ...]

    @property
    def history_days(self) -> int:
        return (self.watermark - self.first_day).days + 1


@dataclass(frozen=True)
class RuleVerdict:
    """One rule: what was seen, what was asked for, and what to do about it (empty where it passes)."""

    rule: str
    verdict: Level
    observed: str
    threshold: str
    advice: str


def judge(figures: Figures, windows: Windows, limits: Limits) -> list[RuleVerdict]:
    """Hold the figures against every rule; one verdict per entry of RULES, in its order."""
    return [
        _history_length(figures, windows),
        _out_of_time_test(figures, windows),
        _examples("churned_examples", figures.churned, limits.minimum_churned, windows),
        _examples("retained_examples", figures.retained, limits.minimum_retained, windows),
        _recent_activity(figures, limits),
        _filled_fields(figures, limits),
        _known_users(figures, limits),
        _duplicates(figures, limits),
        _clock(figures, limits),
        _times_of_day(figures),
    ]


def worst(verdicts: Sequence[RuleVerdict]) -> Level:
    """The verdict over all rules: as bad as the worst of them."""
    levels = {verdict.verdict for verdict in verdicts}
    return "fail" if "fail" in levels else "warn" if "warn" in levels else "pass"


def _history_length(figures: Figures, windows: Windows) -> RuleVerdict:
    window = windows.lead + windows.horizon
    needed = max(max(MINIMUM_HISTORY_DAYS, windows.lookback) + window, MINIMUM_HORIZONS * windows.horizon)
    advice = (
        f"At least {needed} days of history are needed. Load more history, or shorten lookback_days or horizon_days "
        "in churn.toml."
    )
    return _verdict(
        "history_length",
        "pass" if figures.history_days >= needed else "fail",
        f"{figures.history_days} days ({figures.first_day} to {figures.watermark})",
        f"at least {needed} days: max({MINIMUM_HISTORY_DAYS}, lookback {windows.lookback}) + lead {windows.lead} + "
        f"horizon {windows.horizon}, and {MINIMUM_HORIZONS} × horizon",
        advice,
    )


def _out_of_time_test(figures: Figures, windows: Windows) -> RuleVerdict:
    advice = (
        f"About {days_for_a_fold(windows)} days of history are needed (lookback {windows.lookback} + 2 × horizon "
        f"{windows.horizon} + cadence {windows.cadence}); {figures.history_days} exist. "
        "Load more history, or shorten lookback_days or horizon_days in churn.toml."
    )
    level: Level = "pass" if figures.folds else "fail"
    return _verdict("out_of_time_test", level, f"{figures.folds} snapshots", "at least 1 snapshot", advice)


def _examples(rule: str, examples: Examples, minimum: int, windows: Windows) -> RuleVerdict:
    outcome = rule.removesuffix("_examples")
    level: Level = "pass"
    advice = ""
    if examples.rows < minimum:
        level = "fail"
        advice = (
            f"Load more history or more customers; a horizon_days other than {windows.horizon} moves the balance; or "
            f"lower minimum_{outcome} under [readiness] in churn.toml and expect wider intervals."
        )
    elif examples.customers < minimum:
        level = "warn"
        advice = "Few customers stand behind the examples: each counts in several snapshots. Expect wider intervals."
    return _verdict(
        rule,
        level,
        f"{examples.rows:,} {outcome} examples of {examples.customers:,} customers",
        f"at least {minimum:,} examples",
        advice,
    )


def _recent_activity(figures: Figures, limits: Limits) -> RuleVerdict:
    end = figures.watermark + timedelta(days=1)
    earliest = end - timedelta(days=limits.active_within_days)
    types, last = ", ".join(figures.activity_types), figures.last_activity
    if last is None:
        observed = "no activity at all"
        advice = (
            f"No event is an activity ({types}). The data hold: {', '.join(figures.event_types) or 'nothing'}. "
            "Correct the event type in mapping.toml, or activity under [churn] in churn.toml."
        )
    else:
        observed = f"the last activity is of {last}, {max((end - last).days, 0)} days before the end of the data"
        advice = f"Load the newer activities ({types}): their export may have stopped while others went on."
    return _verdict(
        "recent_activity",
        "pass" if last is not None and last >= earliest else "fail",
        observed,
        f"an activity on {earliest} or later: the last {limits.active_within_days} days of data",
        advice,
    )


def _filled_fields(figures: Figures, limits: Limits) -> RuleVerdict:
    limit = limits.maximum_missing_share
    wide = sorted((gap for gap in figures.gaps if gap.share >= limit), key=lambda gap: -gap.share)
    needed = any(gap.field in NEEDED_FIELDS and gap.among != "other events" for gap in wide)
    shown = wide or [max(figures.gaps, key=lambda gap: gap.share)]
    named = "; ".join(f"{gap.field} in {_percent(gap.share)} of {gap.among}" for gap in shown[:SHOWN_GAPS])
    more = f"; and {len(shown) - SHOWN_GAPS} more" if len(shown) > SHOWN_GAPS else ""
    return _verdict(
        "filled_fields",
        "fail" if needed else "warn" if wide else "pass",
        f"missing: {named}{more}"
        if wide
        else f"at most missing: {named}"
        if shown[0].missing
        else "nothing is missing",
        f"less than {_percent(limit)} missing in each field; training stops for "
        f"{', '.join(NEEDED_FIELDS[:-1])} and {NEEDED_FIELDS[-1]} of activities",
        "Map another column to the field, have the export repaired, or take the field out of mapping.toml where the "
        "source does not have it.",
    )


def _known_users(figures: Figures, limits: Limits) -> RuleVerdict:
    return _shared(
        "known_users",
        figures.without_user,
        figures.records,
        "rows without a customer",
        limits.maximum_unknown_user_share,
        "The rows are in quarantine, and the features miss what they tell. Guests cannot be scored; otherwise map a "
        "column that identifies the customer.",
    )


def _duplicates(figures: Figures, limits: Limits) -> RuleVerdict:
    return _shared(
        "duplicates",
        figures.landed - figures.staged,
        figures.landed,
        "rows that are copies",
        limits.maximum_duplicate_share,
        "The earliest copy counts, the others are dropped. Make sure that event_id in mapping.toml names the line and "
        "not the order or the customer, and that no file is exported twice.",
    )


def _clock(figures: Figures, limits: Limits) -> RuleVerdict:
    wrong, limit = figures.too_early + figures.in_future, limits.maximum_clock_error_share
    level: Level = "fail" if _share(wrong, figures.records) > limit else "warn" if wrong else "pass"
    return _verdict(
        "clock",
        level,
        f"{_percent(_share(wrong, figures.records))} of rows: {figures.in_future:,} in the future, "
        f"{figures.too_early:,} before 1990",
        f"none; training stops above {_percent(limit)} of rows",
        "The rows are in quarantine. Check the clock of the source, and timezone and time_format under [source] in "
        "mapping.toml (epoch_s and epoch_ms differ by a factor of 1,000).",
    )


def _times_of_day(figures: Figures) -> RuleVerdict:
    level: Level = "warn" if _share(figures.at_midnight, figures.staged) >= MIDNIGHT_SHARE else "pass"
    return _verdict(
        "times_of_day",
        level,
        f"{_percent(_share(figures.at_midnight, figures.staged))} of events at exactly midnight",
        f"less than {_percent(MIDNIGHT_SHARE)}; training does not stop for it",
        "The source seems to hold dates only. Churn is scored all the same; preferred hours and sessions mean nothing. "
        "Map a column with the time if there is one.",
    )


def _shared(rule: str, count: int, of: int, what: str, limit: float, advice: str) -> RuleVerdict:
    """A rule on a share: noted above NOTED_SHARE, stopped above the limit of churn.toml."""
    share = _share(count, of)
    return _verdict(
        rule,
        "fail" if share > limit else "warn" if share > NOTED_SHARE else "pass",
        f"{_percent(share)} ({count:,} of {of:,}) {what}",
        f"at most {_percent(NOTED_SHARE)}; training stops above {_percent(limit)}",
        advice,
    )


def _verdict(rule: str, level: Level, observed: str, threshold: str, advice: str) -> RuleVerdict:
    return RuleVerdict(rule, level, observed, threshold, "" if level == "pass" else advice)


def _share(count: int, of: int) -> float:
    return count / of if of else 0.0


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
