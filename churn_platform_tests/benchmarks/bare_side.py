"""The limit of `make bench`: a bare DuckDB script with the SQL of the models and of the checks, and nothing else.

`python -m … bare_side HOME FILE` reads the lake of a home and writes every table up to the training set into the new
database FILE, each followed by its checks: all conditions on rows in one scan, every other check as it is. It tells, of
every table, the seconds of both.
"""

import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pandas  # noqa: F401 - DuckDB loads it at its first parameter

from churn_platform.contracts.contract import Contract
from churn_platform.contracts.quoting import quoted
from churn_platform.contracts.rules import Scope, derive_rules
from churn_platform.lake.reader import create_raw_events_view
from churn_platform.orchestration.feature_tables import feature_tables
from churn_platform.orchestration.shop import Shop
from churn_platform.sql.library import Library, default_library
from churn_platform.warehouse.gate import create_table
from churn_platform_tests.benchmarks.processes import tell


def main() -> None:
    shop, file = Shop(home_folder=sys.argv[1]), Path(sys.argv[2])
    file.unlink(missing_ok=True)
    with duckdb.connect(str(file)) as connection:
        connection.execute("SET enable_progress_bar = false")
        began = time.perf_counter()
        found = run(connection, shop)
        tell({"seconds": time.perf_counter() - began, "steps": found})
    file.unlink()


def run(connection: duckdb.DuckDBPyConnection, shop: Shop) -> dict[str, dict[str, float]]:
    """Table → seconds, and those of its checks."""
    library = default_library()
    connection.execute("SET TimeZone = 'UTC'")
    create_raw_events_view(connection, shop.ledger.fragments())
    return {table: build_and_check(connection, library, table, shop) for table in tables(library)}


def tables(library: Library) -> list[str]:
    """The tables that SQL builds for a training set, each after what it reads."""
    needed, left = set[str](), {"training_set", *feature_tables()}
    while left:
        table = left.pop()
        needed.add(table)
        left |= library.dependencies(table) - needed
    return [table for table in library.order if table in needed and table in library.models]


def build_and_check(
    connection: duckdb.DuckDBPyConnection, library: Library, table: str, shop: Shop
) -> dict[str, float]:
    contract, plan = library.contract(table), shop.plan
    values = shop.values() | {"first_day": shop.history.first_day, "last_day": date.max, "label_grace_days": 0}
    began = time.perf_counter()
    if contract.materialisation == "full":
        library.build(connection, table, table, values)
    else:
        create_table(connection, contract, table)
        by_snapshot = plan.examined if table == "churn_labels" else (*plan.examined, plan.newest)
        snapshots = by_snapshot if contract.materialisation == "snapshot" else [plan.newest]
        for snapshot in snapshots:
            library.append(connection, table, table, values | {"snapshot_date": snapshot})
    built = time.perf_counter()
    for query in checks(contract):
        connection.execute(query).fetchall()
    checked = time.perf_counter()
    return {"seconds": checked - began, "gate": checked - built}


def checks(contract: Contract) -> Iterator[str]:
    """The checks of a table as queries that count: the conditions on single rows fused, the others one by one."""
    table = quoted(contract.table)
    head, conditions = f"SELECT * FROM {table} WHERE ", []
    for rule in derive_rules(contract):
        bad_rows = rule.bad_rows_sql(Scope(table))
        if bad_rows.startswith(head):
            conditions.append(bad_rows.removeprefix(head))
        else:
            yield f"SELECT count(*) FROM ({bad_rows})"
    yield f"SELECT {', '.join(f'count(*) FILTER (WHERE {condition})' for condition in conditions)} FROM {table}"


if __name__ == "__main__":
    main()
