"""Landing files into the lake."""

from collections.abc import Iterator, Sequence

import dagster as dg

from churn_platform.contracts.table_schema import dagster_table_schema
from churn_platform.errors import InputError
from churn_platform.lake.ingest import FileReport, ingest
from churn_platform.lake.landing import LandingFile, accept, misplaced, reject
from churn_platform.lake.mapping import read_mapping
from churn_platform.lake.reader import create_raw_events_view
from churn_platform.lake.staging import sweep_scratch
from churn_platform.orchestration.arrivals import ONLY_FILE, batch, complete, without_headers
from churn_platform.orchestration.partitions import arrival_days
from churn_platform.orchestration.progress import progress_of
from churn_platform.orchestration.shop import Shop
from churn_platform.sql.library import default_library
from churn_platform.warehouse.connection import open_database

LAKE_IS_WHOLE = "lake_matches_ledger"
FILES_ACCEPTED = "every_file_accepted"
CHECKS = {
    LAKE_IS_WHOLE: "The lake holds the rows that the ledger has committed.",
    FILES_ACCEPTED: "No file was moved to landing/rejected/.",
}

LandingEvents = Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(assets=[_raw_events()])


def _raw_events() -> dg.AssetsDefinition:
    contract = default_library().contract("raw_events")

    @dg.asset(
        group_name="1_raw",
        description=contract.description,
        owners=[contract.owner],
        kinds={"parquet", "duckdb"},
        partitions_def=arrival_days(),
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=default_library().code_versions["raw_events"],
        metadata={"dagster/column_schema": dagster_table_schema(contract)},
        check_specs=[
            dg.AssetCheckSpec(name, asset="raw_events", description=text, blocking=name == LAKE_IS_WHOLE)
            for name, text in CHECKS.items()
        ],
    )
    def raw_events(context: dg.AssetExecutionContext, shop: Shop) -> LandingEvents:
        yield from _land(context, shop)

    return raw_events


def _land(context: dg.AssetExecutionContext, shop: Shop) -> LandingEvents:
    try:
        reports, refused = _ingest_waiting(context, shop)
    except InputError as error:
        for check in CHECKS:
            yield dg.AssetCheckResult(check_name=check, passed=False, description="Not run: mapping.toml is wrong.")
        raise dg.Failure(description=str(error), allow_retries=False) from error
    landed = shop.ledger.landed().values()
    committed, held = sum(file.rows for file in landed), _rows_in_lake(shop)
    yield dg.AssetCheckResult(
        check_name=LAKE_IS_WHOLE,
        passed=committed == held,
        metadata={"rows committed": committed, "rows in the lake": held},
    )
    yield dg.AssetCheckResult(
        check_name=FILES_ACCEPTED, passed=not refused, severity=dg.AssetCheckSeverity.WARN, metadata=refused
    )
    if committed != held:
        lost = f"The ledger has committed {committed} rows, the lake holds {held}."
        raise dg.Failure(description=f"{lost} Restore {shop.home.events} from a backup.", allow_retries=False)
    if not landed:
        nothing = "\n".join(refused.values()) or f"Nothing has landed yet. Drop files into {shop.home.landing}."
        raise dg.Failure(description=nothing, allow_retries=False)
    headers = shop.ledger.headers().values()
    namesakes = _namesakes(shop, reports)
    for name, told in namesakes.items():
        context.log.warning(f"{name}: {told}")
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": committed,
            "quarantined rows": sum(file.quarantined for file in landed),
            "headers kept": sum(file.rows for file in headers),
            "header rows quarantined": sum(file.quarantined for file in headers),
            "files of this run": [report.file for report in reports],
            "rows of this run": sum(report.rows for report in reports),
            "notes on this run": [f"{report.file}: {note}" for report in reports for note in report.notes],
            "names that landed before": namesakes,
        }
    )


def _ingest_waiting(context: dg.AssetExecutionContext, shop: Shop) -> tuple[list[FileReport], dict[str, str]]:
    """Ingest one batch of the complete files in landing/; a bad one is moved aside while the good ones go on.

    The headers of all of them come first: a batch holds lines whose headers sort after it.

    Raises:
        InputError: the mapping itself is wrong; every file stays where it is.
    """
    reports: list[FileReport] = []
    refused: dict[str, str] = {}

    def refuse(file: LandingFile, error: InputError) -> None:
        refused[file.path.name] = str(error)
        context.log.error(f"{file.path.name} was moved to {reject(file, error)}: {error}")

    sweep_scratch(shop.home)
    for file, error in misplaced(shop.home):
        refuse(file, error)
    found = complete(shop.home, context.run.tags.get(ONLY_FILE))
    if not found:
        return reports, refused
    files = batch(without_headers(shop.home, found, shop.now(), refuse))
    mapping = read_mapping(shop.home.mapping_file)
    for file in files:
        try:
            with progress_of(file.path.name, context.log.info) as progress:
                report = ingest(
                    file.path, file.mode, mapping, shop.home, shop.definition.timezone, shop.now(), report=progress
                )
        except InputError as error:
            refuse(file, error)
        else:
            accept(file)
            reports.append(report)
            told = f"{report.rows} rows landed, {report.quarantined} quarantined {report.reasons or ''}"
            read_as = f" ({report.read_as})" if report.read_as else ""
            context.log.info(f"{report.file}{read_as}: {told if report.status == 'landed' else report.status}")
            for note in report.notes:
                context.log.warning(f"{report.file}: {note}")
    return reports, refused


def _namesakes(shop: Shop, reports: Sequence[FileReport]) -> dict[str, str]:
    """Files of this run whose name, with other content, had landed before: two deliveries, or a correction?"""
    landed = shop.ledger.landed().values()
    told = {}
    for report in reports:
        before = [
            one.fingerprint for one in landed if one.file == report.file and one.fingerprint != report.fingerprint
        ]
        if before and report.status == "landed":
            told[report.file] = (
                f"a file of this name landed before ({', '.join(before)}); its rows stay, and these were added. "
                f"If this one corrects it: churn restate FILE --replaces {before[-1]} --by NAME --note TEXT."
            )
    return told


def _rows_in_lake(shop: Shop) -> int:
    with open_database(":memory:") as connection:
        create_raw_events_view(connection, shop.ledger.fragments())
        return int(connection.execute("SELECT count(*) FROM raw_events").fetchall()[0][0])
