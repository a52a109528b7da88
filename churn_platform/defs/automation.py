"""What starts by itself: a refresh for new files in landing/."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from churn_platform.errors import InputError
from churn_platform.lake.landing import LandingFile, reject, waiting
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import read_mapping
from churn_platform.lake.source_file import fingerprint_of
from churn_platform.orchestration.arrivals import (
    NO_FILE,
    ONLY_FILE,
    SETTLE_SECONDS,
    batch,
    expect,
    without_headers,
)
from churn_platform.orchestration.dead_runs import fail_dead_runs
from churn_platform.orchestration.partitions import LAKE_STATE, range_tags
from churn_platform.settings import Home, environment

ATTEMPTS = 3
# A tick must answer within 60 s; files that it has not looked at by then are looked at by the next one.
LOOK_SECONDS = 20.0
FILES_TAG = "churn/files"
TRAINING = (
    "event_weeks",
    "data_readiness",
    "definition_lab",
    "training_set",
    "feature_quality",
    "churn_model",
    "model_evaluation",
    "survival_evaluation",
    "model_evaluation_by_segment",
    "champion_model",
)
# Where only these fail, daily_refresh can still score with the champion or the next rung of the ladder.
TRAINING_STEPS = frozenset({*TRAINING, "data_readiness_rules", "feature_quality_rules"})
IN_PROGRESS = [
    DagsterRunStatus.NOT_STARTED, DagsterRunStatus.QUEUED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED,
]  # fmt: skip

everything = dg.AssetSelection.all()

full_refresh = dg.define_asset_job(
    "full_refresh",
    selection=everything,
    description="Everything, the model included. Pick the arrival days to build; files in landing/ come first.",
)
daily_refresh = dg.define_asset_job(
    "daily_refresh",
    selection=everything - dg.AssetSelection.assets(*TRAINING),
    description="New files into scores, list and published file; the champion stays.",
)


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(jobs=[full_refresh, daily_refresh], sensors=[landing_sensor])


@dg.sensor(
    jobs=[full_refresh, daily_refresh],
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="One run for the complete files in landing/: daily_refresh for deliveries, full_refresh for history.",
)
def landing_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Each set of files is tried at most three times; a file that lands leaves landing/, a bad one is moved aside.

    A backlog is taken in order, one batch a run; nothing but the files and the ledger tells what has been done, so a
    restart at any point repeats nothing and forgets nothing.
    Where files have landed but no run has published since, daily_refresh is started for them.
    A batch that no run brings through holds nothing up: what has landed is scored without it, then its first file is
    tried alone, and moved to landing/rejected/ where three runs of its own fail too.
    """
    settings = environment()
    home = Home(settings.shop_home()).create()
    for run_id in fail_dead_runs(context.instance, home):
        context.log.warning(f"Run {run_id} died without finishing; it is marked as failed.")
    if context.instance.get_runs_count(RunsFilter(statuses=IN_PROGRESS)):
        return dg.SkipReason("A run is in progress; files that wait are looked at after it.")
    try:
        read_mapping(home.mapping_file)
    except InputError as error:
        return dg.SkipReason(f"Files wait until there is a mapping: {error}")

    def refuse(file: LandingFile, error: InputError) -> None:
        context.log.warning(f"{file.path.name} was moved to {reject(file, error)}: {error}")

    waits = without_headers(home, waiting(home, SETTLE_SECONDS), settings.current_time(), refuse)
    taken = batch(waits)
    looked_at = _look(home, taken, settings.current_time(), refuse)
    if looked_at.skipped:
        seen = len(taken) - looked_at.skipped
        return dg.SkipReason(f"Looked at {seen} of {len(taken)} files; the next tick goes on.")
    if left := len(waits) - len(taken):
        context.log.info(f"{left} more files wait for the runs after this one.")
    return _next(context, home, looked_at)


@dataclass
class _LookedAt:
    """The good ones of the files looked at, the arrival days that they fill, and how many no time was left for."""

    files: list[LandingFile] = field(default_factory=list)
    days: list[date] = field(default_factory=list)
    skipped: int = 0


def _next(context: dg.SensorEvaluationContext, home: Home, found: _LookedAt) -> dg.SensorResult | dg.SkipReason:
    """The first of these runs that has not failed three times: for the files, for what has landed, for the first file.

    Where all have, that file is moved aside; the files behind it are looked at by the next tick.
    """
    files, landed = found.files, _what_has_landed(context, Ledger(home))
    offers = [landed] if landed else []
    if files:
        offers = [_offer(home, files, found.days), *offers, _offer(home, files[:1], found.days[:2])]
    for offer in offers:
        if (tried := _tried(context, offer)) < ATTEMPTS:
            return _request(context, offer, tried)
    if files:
        return _give_up(context, files[0], offers[-1])
    if landed:
        return dg.SkipReason(
            f"{ATTEMPTS} runs did not bring {landed.names} through. See the latest of them, then run by hand."
        )
    return dg.SkipReason(f"No complete file waits in {home.landing}.")


def _look(
    home: Home, files: Sequence[LandingFile], now: datetime, refuse: Callable[[LandingFile, InputError], None]
) -> _LookedAt:
    found, began = _LookedAt(), time.monotonic()
    for number, file in enumerate(files):
        if number and time.monotonic() - began > LOOK_SECONDS:
            found.skipped = len(files) - number
            break
        try:
            found.days += expect(home, [file], now)
        except InputError as error:
            refuse(file, error)
        else:
            found.files.append(file)
    return found


@dataclass(frozen=True)
class _Offer:
    """One run to ask for: `names` what it is for, `only` the one file in landing/ that it takes (see `arrivals`)."""

    job: UnresolvedAssetJobDefinition
    key: str
    names: str
    first: date
    last: date
    only: str | None


def _offer(home: Home, files: Sequence[LandingFile], days: Sequence[date]) -> _Offer:
    history = any(file.mode == "history" for file in files)
    alone = str(files[0].path.relative_to(home.landing)) if len(files) == 1 else None
    return _Offer(
        full_refresh if history else daily_refresh, _key(files), _named(files), min(days), max(days), only=alone
    )


def _key(files: Sequence[LandingFile]) -> str:
    """Identifies a set of files by what they hold; one alone also by when it came, so that it may be dropped again."""
    parts = sorted(fingerprint_of(file.path) for file in files)
    if len(files) == 1:
        parts.append(str(files[0].path.stat().st_ctime_ns))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _what_has_landed(context: dg.SensorEvaluationContext, ledger: Ledger) -> _Offer | None:
    """A refresh for files that a run had landed before it died or failed: in the lake, but in no score yet."""
    if ledger.landed() and _published_state(context) != ledger.state():
        newest = ledger.days()[-1]
        return _Offer(daily_refresh, f"landed-{ledger.state()}", "what has landed", newest, newest, only=NO_FILE)
    return None


def _give_up(context: dg.SensorEvaluationContext, file: LandingFile, offer: _Offer) -> dg.SkipReason:
    """Move aside a file that no run of its own brings through, so that those behind it get on."""
    latest = context.instance.get_run_records(RunsFilter(tags={FILES_TAG: offer.key}), limit=1)[0].dagster_run.run_id
    error = InputError(
        f"{file.path.name}: {ATTEMPTS} runs that took this file alone failed before it had landed, the latest is run "
        f"{latest}. See what it says under Runs in the UI, mend the cause, and drop the file into landing/ again."
    )
    told = f"{file.path.name} was moved to {reject(file, error)}: {error}"
    context.log.warning(told)
    return dg.SkipReason(told)


def _named(files: Sequence[LandingFile]) -> str:
    first, *others = [file.path.name for file in files]
    return f"{first} to {others[-1]} ({len(files)} files)" if len(others) > 1 else ", ".join([first, *others])


def _published_state(context: dg.SensorEvaluationContext) -> object:
    """The state of the lake that the published file was made from; None before the first."""
    event = context.instance.get_latest_materialization_event(dg.AssetKey("published"))
    materialisation = event.asset_materialization if event else None
    state = materialisation.metadata.get(LAKE_STATE) if materialisation else None
    return state.value if state else None


def _tried(context: dg.SensorEvaluationContext, offer: _Offer) -> int:
    return context.instance.get_runs_count(RunsFilter(tags={FILES_TAG: offer.key}))


def _request(context: dg.SensorEvaluationContext, offer: _Offer, tried: int) -> dg.SensorResult:
    context.log.info(f"{offer.job.name} for {offer.names}: arrival days {offer.first} to {offer.last}.")
    only = {} if offer.only is None else {ONLY_FILE: offer.only}
    request = dg.RunRequest(
        run_key=f"{offer.key}-{tried + 1}",
        job_name=offer.job.name,
        tags={FILES_TAG: offer.key, **only, **range_tags(offer.first, offer.last)},
    )
    return dg.SensorResult(run_requests=[request])
