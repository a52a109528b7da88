"""bare side"""
import json
import sys
import time
from datetime import date
from pathlib import Path
import duckdb
from churn_platform.contracts.rules import Scope, derive_rules
from churn_platform.lake.reader import create_raw_events_view
from churn_platform.orchestration.feature_tables import feature_tables
from churn_platform.orchestration.gated_assets import _snapshot_values, _wanted_versions
from churn_platform.orchestration.shop import Shop
from churn_platform.settings import Home
from churn_platform.sql.library import default_library
from churn_platform_tests.benchmarks.processes import peak_gib

TABLES = []

def ancestors(library, tables):
    found = set()
    stack = list(tables)
    while stack:
        t = stack.pop()
        if t in found: continue
        found.add(t)
        stack += list(library.dependencies(t))
    return [t for t in library.order if t in found and t in library.models]


def checks(contract, table):
    fused, others = [], []
    for rule in derive_rules(contract):
        sql = rule.bad_rows_sql(Scope(table))
        head = f"SELECT * FROM {table} WHERE "
        if sql.startswith(head): fused.append(sql.removeprefix(head))
        else: others.append(f"SELECT count(*) FROM ({sql})")
    return [f"SELECT {', '.join(f'count(*) FILTER (WHERE {b})' for b in fused)} FROM {table}", *others]


def run(home, file, only):
    shop = Shop(home_folder=str(home))
    library = default_library()
    c = duckdb.connect(file)
    c.execute("SET enable_progress_bar=false; SET TimeZone='UTC'")
    fragments = shop.ledger.fragments(shop.history.first_day, date(9999,1,1))
    create_raw_events_view(c, fragments)
    total = 0
    tot_gate = 0
    for table in ancestors(library, ["training_set", *feature_tables()]):
        contract = library.contract(table)
        b = time.perf_counter()
        values = shop.values() | {"first_day": date(1990,1,1), "last_day": date(2099,1,1)}
        columns = ", ".join(f'"{k}" {v}' for k, v in contract.types.items())
        if contract.materialisation == "full":
            library.build(c, table, table, values)
        else:
            c.execute(f"CREATE TABLE {table} ({columns})")
            if contract.materialisation == "snapshot":
                for key in sorted(_wanted_versions(library, table, shop)):
                    library.append(c, table, table, values | _snapshot_values(shop, date.fromisoformat(key)))
            else:
                library.append(c, table, table, values)
        m = time.perf_counter()
        for sql in checks(contract, table):
            c.execute(sql).fetchall()
        e = time.perf_counter()
        total += e - b; tot_gate += e - m
        print(f"{table:30s} {m-b:8.2f} {e-m:8.2f}", flush=True)
    print("total", total, "gate", tot_gate, "peak", peak_gib())

if __name__ == "__main__":
    import pandas
    Path(sys.argv[2]).unlink(missing_ok=True)
    run(Path(sys.argv[1]), sys.argv[2], None)
