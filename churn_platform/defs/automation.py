"""What starts by itself: a refresh for new files in landing/."""

import hashlib
from datetime import date

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from churn_platform.errors import InputError
from churn_platform.lake.landing import LandingFile, reject, waiting
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import read_mapping
from churn_platform.lake.source_file import fingerprint_of
from churn_platform.orchestration.arrivals import SETTLE_SECONDS, expect, without_headers
from churn_platform.orchestration.dead_runs import fail_dead_runs
from churn_platform.orchestration.partitions import LAKE_STATE, range_tags
from churn_platform.settings import Home, environment

ATTEMPTS = 3
FILES_TAG = "churn/files"
TRAINING = ("training_set", "churn_model", "model_evaluation", "champion_model")
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

    Where files have landed but no run has published since, daily_refresh is started for them.
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
    days: list[date] = []
    files: list[LandingFile] = []

    def refuse(file: LandingFile, error: InputError) -> None:
        context.log.warning(f"{file.path.name} was moved to {reject(file, error)}: {error}")

    for file in without_headers(home, waiting(home, SETTLE_SECONDS), settings.current_time(), refuse):
        try:
            days += expect(home, [file], settings.current_time())
        except InputError as error:
            refuse(file, error)
        else:
            files.append(file)
    if files:
        job = full_refresh if any(file.mode == "history" for file in files) else daily_refresh
        key = hashlib.sha256("\n".join(sorted(fingerprint_of(file.path) for file in files)).encode()).hexdigest()[:16]
        return _request(context, job, key, ", ".join(file.path.name for file in files), min(days), max(days))
    ledger = Ledger(home)
    if ledger.landed() and _published_state(context) != ledger.state():
        # a run died or failed after its files had landed: they are in the lake, but in no score yet
        newest = ledger.days()[-1]
        return _request(context, daily_refresh, f"landed-{ledger.state()}", "what has landed", newest, newest)
    return dg.SkipReason(f"No complete file waits in {home.landing}.")


def _published_state(context: dg.SensorEvaluationContext) -> object:
    """The state of the lake that the published file was made from; None before the first."""
    event = context.instance.get_latest_materialization_event(dg.AssetKey("published"))
    materialisation = event.asset_materialization if event else None
    state = materialisation.metadata.get(LAKE_STATE) if materialisation else None
    return state.value if state else None


def _request(
    context: dg.SensorEvaluationContext,
    job: UnresolvedAssetJobDefinition,
    key: str,
    names: str,
    first: date,
    last: date,
) -> dg.SensorResult | dg.SkipReason:
    tried = context.instance.get_runs_count(RunsFilter(tags={FILES_TAG: key}))
    if tried >= ATTEMPTS:
        return dg.SkipReason(
            f"{names}: {tried} runs did not bring it through. See the latest of them, then run by hand."
        )
    context.log.info(f"{job.name} for {names}: arrival days {first} to {last}.")
    request = dg.RunRequest(
        run_key=f"{key}-{tried + 1}", job_name=job.name, tags={FILES_TAG: key, **range_tags(first, last)}
    )
    return dg.SensorResult(run_requests=[request])
