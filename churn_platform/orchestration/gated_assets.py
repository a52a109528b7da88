"""Makes Dagster assets of tables: each is built beside its published version, audited, and only then swapped in."""

import hashlib
import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from types import ModuleType
from typing import Any

import dagster as dg
import duckdb
import polars as pl
from pydantic import Field

from churn_platform.contracts.contract import Contract
from churn_platform.contracts.quoting import quoted
from churn_platform.contracts.results import not_run
from churn_platform.contracts.table_schema import check_results, check_specs, dagster_table_schema, refused_checks
from churn_platform.core.snapshots import label_closed
from churn_platform.errors import ChurnError, NotEnoughData, UsageError
from churn_platform.lake.reader import create_raw_events_view
from churn_platform.orchestration.feature_tables import absent_features
from churn_platform.orchestration.partitions import range_of
from churn_platform.orchestration.shop import Shop
from churn_platform.sql.library import Library, default_library
from churn_platform.sql.lineage import column_lineage
from churn_platform.warehouse.build_versions import built_versions, forget_versions, outdated, record_versions
from churn_platform.warehouse.connection import table_exists
from churn_platform.warehouse.gate import create_table, write_audit_publish
from churn_platform.warehouse.partition import Partition

AssetEvents = Iterator[dg.AssetCheckResult | dg.AssetCheckEvaluation | dg.MaterializeResult[None]]
Compute = Callable[[Shop, duckdb.DuckDBPyConnection], pl.DataFrame]
After = Callable[[Shop, duckdb.DuckDBPyConnection], Mapping[str, dg.MetadataValue]]

SNAPSHOTS_NAMED = 3  # in a log line; of more, the first and the last


class RebuildConfig(dg.Config):
    """Past snapshots are final; name one here to build it again all the same."""

    rebuild: list[str] = Field(default=[], description="snapshots to build again, as YYYY-MM-DD")


def sql_asset(
    table: str,
    *,
    group: str,
    deps: Sequence[str] = (),
    partitions: dg.PartitionsDefinition[str] | None = None,
    after: After | None = None,
) -> dg.AssetsDefinition:
    """The asset of a table that its SQL model builds; everything about it is derived from model and contract.

    `deps` names what must come before it although its query does not read it. With `partitions`, which only a table by
    arrival day takes, Dagster asks for the days; else a run builds those that are outdated. `after`, of a full table
    only, as for `frame_asset`.
    """
    library = default_library()
    options = _options(library, table, group, kinds={"duckdb", "sql"}, deps=deps)
    materialisation = library.contract(table).materialisation
    if materialisation == "full":
        return _full(library, table, options, after)
    if partitions:
        options |= {"partitions_def": partitions, "backfill_policy": dg.BackfillPolicy.single_run()}
    build = _arrival_days if materialisation == "arrival_day" else _snapshots
    return build(library, table, options)


def frame_asset(
    table: str,
    *,
    group: str,
    deps: list[str],
    kinds: set[str],
    compute: Compute,
    code: list[ModuleType],
    after: After | None = None,
) -> dg.AssetsDefinition:
    """The asset of a table that Python computes as a frame with the columns of the contract.

    `compute` returns all rows of a full table, or those of the newest snapshot of a table by snapshot; `code` names the
    modules that decide what it returns, for the code version. `after` is called once the rows are visible, and returns
    more metadata of the materialisation.
    """
    library = default_library()
    contract = library.contract(table)
    options = _options(library, table, group, kinds=kinds | {"python", "duckdb"}, deps=deps)
    options["code_version"] = source_version(options["code_version"], *code)

    @dg.asset(**options)
    def _asset(context: dg.AssetExecutionContext, shop: Shop) -> AssetEvents:
        with shop.warehouse() as connection:

            def build(target: duckdb.DuckDBPyConnection, audit: str) -> None:
                frame = compute(shop, target)
                create_table(target, contract, audit)
                target.register("computed_frame", frame)
                target.execute(f"INSERT INTO {quoted(audit)} BY NAME SELECT * FROM computed_frame")
                target.unregister("computed_frame")

            partition = Partition.of_dates("snapshot_date", [shop.plan.newest]) if contract.partition_column else None
            yield from _publish(context, shop, connection, contract, build, partition, after)

    return _asset


def source_version(contract_version: str, *modules: ModuleType) -> str:
    """Hash of a contract's version and the source text of modules."""
    sources = [contract_version, *(inspect.getsource(module) for module in modules)]
    return hashlib.sha256("\n".join(sources).encode()).hexdigest()[:12]


def _options(library: Library, table: str, group: str, *, kinds: set[str], deps: Sequence[str]) -> dict[str, Any]:
    contract = library.contract(table)
    return {
        "name": table,
        "group_name": group,
        "description": contract.description,
        "owners": [contract.owner],
        "kinds": kinds,
        "deps": sorted(library.dependencies(table) | set(deps)),
        "code_version": library.code_versions[table],
        "check_specs": check_specs(contract, table),
        "metadata": {
            "dagster/column_schema": dagster_table_schema(contract),
            "dagster/table_name": f"warehouse.main.{table}",
        },
    }


def _full(library: Library, table: str, options: Mapping[str, Any], after: After | None) -> dg.AssetsDefinition:
    @dg.asset(**options)
    def _asset(context: dg.AssetExecutionContext, shop: Shop) -> AssetEvents:
        with shop.warehouse() as connection:

            def build(target: duckdb.DuckDBPyConnection, audit: str) -> None:
                library.build(target, table, audit, shop.values())

            yield from _publish(context, shop, connection, library.contract(table), build, None, after)

    return _asset


def _arrival_days(library: Library, table: str, options: Mapping[str, Any]) -> dg.AssetsDefinition:
    """A table by arrival day: a run replaces the days it is asked for, and those whose files or code have changed."""

    @dg.asset(**options)
    def _asset(context: dg.AssetExecutionContext, shop: Shop) -> AssetEvents:
        contract = library.contract(table)
        with shop.warehouse() as connection:
            wanted = shop.day_versions(library.code_versions[table])
            built = built_versions(connection, table)
            # the latest is built again where nothing is asked for or outdated, so that the gate always sees rows
            latest = date.fromisoformat(max(wanted, default=date.min.isoformat()))
            asked = range_of(context) if "partitions_def" in options else (latest, latest)
            first, last = days_to_build(asked, wanted, built)
            if not table_exists(connection, table):
                create_table(connection, contract, table)
            if "raw_events" in library.models[table].reads:
                create_raw_events_view(connection, shop.ledger.fragments(first, last))

            def build(target: duckdb.DuckDBPyConnection, audit: str) -> None:
                if not wanted:
                    raise NotEnoughData(f"Nothing has landed in {shop.home.lake} yet, so {table} has nothing to build.")
                create_table(target, contract, audit)
                library.append(target, table, audit, shop.values() | {"first_day": first, "last_day": last})

            yield from _publish(context, shop, connection, contract, build, Partition("known_date", first, last))
            record_versions(connection, table, wanted)
            forget_versions(connection, table, built.keys() - wanted.keys())

    return _asset


def days_to_build(asked: tuple[date, date], wanted: Mapping[str, str], built: Mapping[str, str]) -> tuple[date, date]:
    """The arrival days to replace: those asked for, those outdated, and all built ones after an outdated one.

    Outdated are also days whose files were all withdrawn. The built ones after because an event that has now arrived on
    an earlier day takes the place of its later copies, and one that was withdrawn there leaves it to them.
    """
    stale = [date.fromisoformat(key) for key in (*outdated(wanted, built), *(built.keys() - wanted.keys()))]
    first, last = min([asked[0], *stale]), max([asked[1], *stale])
    overtaken = [day for day in map(date.fromisoformat, built) if stale and day > min(stale)]
    return first, max([last, *overtaken])


def _snapshots(library: Library, table: str, options: Mapping[str, Any]) -> dg.AssetsDefinition:
    """A table by snapshot: a run builds what the plan asks for and is not there yet, or was built from other files."""

    @dg.asset(**options)
    def _asset(context: dg.AssetExecutionContext, shop: Shop, config: RebuildConfig) -> AssetEvents:
        contract = library.contract(table)
        with shop.warehouse() as connection:
            wanted = _wanted_versions(library, table, shop)
            # the latest is built again where nothing is outdated, so that the gate always sees rows
            stale = outdated(wanted, built_versions(connection, table))
            keys = sorted({*stale, *config.rebuild}) or sorted(wanted)[-1:]
            snapshots, refused = _possible(keys, shop, labels=_binds_labels(library, table))
            if not table_exists(connection, table):
                create_table(connection, contract, table)
            named = f"{keys[0]} to {keys[-1]}" if len(keys) > SNAPSHOTS_NAMED else ", ".join(keys) or "none"
            context.log.info(f"{table}: {len(snapshots)} of {len(wanted)} planned snapshots to build: {named}")

            def build(target: duckdb.DuckDBPyConnection, audit: str) -> None:
                if refused:
                    raise UsageError(f"{table} cannot be built for: {'; '.join(refused)}.")
                create_table(target, contract, audit)
                for snapshot in snapshots:
                    absent = absent_features(target, [table], snapshot)
                    library.append(target, table, audit, shop.values() | snapshot_values(shop, snapshot), absent=absent)

            began = time.monotonic()
            yield from _publish(
                context, shop, connection, contract, build, Partition.of_dates("snapshot_date", snapshots)
            )
            seconds = (time.monotonic() - began) / max(len(snapshots), 1)
            rebuilt = {key: version for key, version in wanted.items() if key in keys}
            record_versions(connection, table, rebuilt, seconds=seconds)

    return _asset


def _possible(keys: Iterable[str], shop: Shop, *, labels: bool) -> tuple[list[date], list[str]]:
    """The snapshots among `keys` that can be built, and what is wrong with the others."""
    possible: list[date] = []
    refused: list[str] = []
    for key in keys:
        try:
            snapshot = date.fromisoformat(key)
        except ValueError:
            refused.append(f"'{key}', which is not a date as YYYY-MM-DD")
            continue
        if snapshot > shop.plan.newest:
            refused.append(f"{key}, which lies after the newest snapshot {shop.plan.newest}")
        elif labels and not label_closed(snapshot, shop.history, shop.windows):
            refused.append(f"{key}, whose label window has not closed")
        else:
            possible.append(snapshot)
    return possible, refused


def _binds_labels(library: Library, table: str) -> bool:
    return "label_grace_days" in library.models[table].parameters


def _wanted_versions(library: Library, table: str, shop: Shop) -> dict[str, str]:
    """Planned snapshot → version. A table of labels has the closed ones; any other also the newest."""
    plan, windows, history, code = shop.plan, shop.windows, shop.history, library.code_versions[table]
    if _binds_labels(library, table):
        ends = {snapshot: windows.label_end(snapshot) for snapshot in plan.examined}
        return {
            snapshot.isoformat(): shop.snapshot_version(code, end + history.grace_period(end, windows))
            for snapshot, end in ends.items()
        }
    return {snapshot.isoformat(): shop.snapshot_version(code, snapshot) for snapshot in (*plan.examined, plan.newest)}


def snapshot_values(shop: Shop, snapshot: date) -> dict[str, date | int]:
    """The SQL parameters that differ from snapshot to snapshot."""
    grace = shop.history.grace_period(shop.windows.label_end(snapshot), shop.windows)
    return {"snapshot_date": snapshot, "label_grace_days": grace.days}


def _publish(
    context: dg.AssetExecutionContext,
    shop: Shop,
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    build: Callable[[duckdb.DuckDBPyConnection, str], None],
    partition: Partition | None,
    after: After | None = None,
) -> AssetEvents:
    """Build, audit, swap; then report every check, and the materialisation only if the rows are visible."""
    result = not_run(contract, "the step failed before the audit")
    refusal: ChurnError | None = None
    try:
        result = write_audit_publish(
            connection,
            contract,
            build,
            run_id=context.run.run_id,
            quarantine=shop.home.quarantine,
            partition=partition,
            checked_at=shop.now(),
        )
    except ChurnError as error:
        refusal = error
    finally:
        report = check_results if result.passed else refused_checks
        yield from report(result, contract.table)
    if not result.passed:
        told = str(refusal) if refusal else result.summary
        raise dg.Failure(told, metadata={"quarantine": str(result.quarantine or "")}, allow_retries=False) from refusal
    # Dagster stores an event per arrival day: only the last one carries the lineage, which the UI reads from there
    newest = context.partition_key_range.end if context.assets_def.partitions_def else None
    context.add_asset_metadata({"dagster/column_lineage": _lineage(contract.table)}, partition_key=newest)
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": connection.table(contract.table).count("*").fetchall()[0][0],
            "dagster/partition_row_count": result.row_count,
            "seconds to build": result.build_seconds,
            "seconds to audit": result.audit_seconds,
            **(after(shop, connection) if after else {}),
        }
    )


def _lineage(table: str) -> dg.TableColumnLineage:
    lineage = column_lineage(default_library(), table)
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(asset_key=source, column_name=name) for source, name in sources]
            for column, sources in lineage.items()
        }
    )
