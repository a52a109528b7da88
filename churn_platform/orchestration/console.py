"""What a run prints: one line per step and per message, instead of Dagster's event stream."""

import logging

import dagster as dg
from dagster import DagsterEventType

SHOWN_LEVEL = logging.INFO


class _StepLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        step = getattr(record, "dagster_meta", {}).get("step_key") or "run"
        return f"{self.formatTime(record, '%H:%M:%S')}  {step:<20} {_told(record)}"


class _Shown(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= SHOWN_LEVEL or _finished_in(record) is not None


@dg.logger({}, description="One line per finished step, message and error.")
def step_lines(context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("churn", level=logging.DEBUG)
    handler = logging.StreamHandler()
    handler.setFormatter(_StepLines())
    handler.addFilter(_Shown())
    logger.addHandler(handler)
    return logger


def failure_text(event: dg.DagsterEvent) -> str:
    """What a failed step said: the description of its Failure, else the innermost error."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error else "no reason given"


def _finished_in(record: logging.LogRecord) -> float | None:
    """Seconds that a step took, if this record tells that it succeeded."""
    event = getattr(record, "dagster_meta", {}).get("dagster_event")
    if event is None or event.event_type != DagsterEventType.STEP_SUCCESS:
        return None
    return float(event.step_success_data.duration_ms) / 1000


def _told(record: logging.LogRecord) -> str:
    seconds = _finished_in(record)
    if seconds is not None:
        return f"done in {seconds:.1f} s"
    meta = getattr(record, "dagster_meta", {})
    event = meta.get("dagster_event")
    if event is not None and event.is_step_failure:
        return failure_text(event)
    return str(meta.get("orig_message") or record.getMessage())
