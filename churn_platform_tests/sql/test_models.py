"""Every SQL model against its cases: `churn_platform_tests/sql/<stage>/<table>.yml`.

A file holds `parameters` and `defaults` (table → column → value) for all of its cases, then `cases`. A case gives the
rows of the upstream tables (`given`), may change parameters and defaults, and lists the `expected` rows, each with one
value for each of `columns`, in any order. A given column that is not named has its default, else null where its
contract allows that, else 0 or false. Values are compared exactly, floats with a tolerance of 1e-12.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from math import isclose
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from churn_platform.contracts.contract import Column, Contract
from churn_platform.contracts.quoting import quoted, quoted_list
from churn_platform.sql.library import Library, default_library

CASES = Path(__file__).parent
BUILT = "built_by_the_case"
TOLERANCE = 1e-12
# A count or sum of a day is stored in fewer bytes than DuckDB gives it; one that does not fit stops the build.
STORED_AS = {"BIGINT": "INTEGER", "DECIMAL(38,4)": "DECIMAL(18,4)"}
ZEROS: Mapping[str, object] = {"BIGINT": 0, "INTEGER": 0, "TINYINT": 0, "DOUBLE": 0.0, "BOOLEAN": False}

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One case of one model; its file's defaults are already in the rows of `given`."""

    table: str
    name: str
    parameters: Mapping[str, Any]
    given: Mapping[str, Sequence[Row]]
    columns: Sequence[str]
    expected: Sequence[Row]


def read_cases(path: Path) -> list[Case]:
    """Read the cases of one file; a key that nobody reads is an error."""
    file = yaml.safe_load(path.read_text(encoding="utf-8"))
    _refuse_unknown_keys(f"{path}", file, {"parameters", "defaults", "cases"})
    return [_read_case(path.stem, f"{path}: {name}", name, file, body) for name, body in file["cases"].items()]


def _read_case(table: str, where: str, name: str, file: Mapping[str, Any], body: Mapping[str, Any]) -> Case:
    _refuse_unknown_keys(where, body, {"why", "parameters", "defaults", "given", "columns", "expected"})
    defaults: dict[str, dict[str, Any]] = {}
    for given_defaults in (file.get("defaults", {}), body.get("defaults", {})):
        for upstream, values in given_defaults.items():
            defaults[upstream] = defaults.get(upstream, {}) | values
    columns = body["columns"]
    for row in body["expected"]:
        assert len(row) == len(columns), f"{where}: {row} needs one value for each of {columns}."
    given = body["given"]
    return Case(
        table=table,
        name=name,
        parameters=file.get("parameters", {}) | body.get("parameters", {}),
        given={upstream: [defaults.get(upstream, {}) | row for row in given[upstream]] for upstream in given},
        columns=columns,
        expected=[dict(zip(columns, row, strict=True)) for row in body["expected"]],
    )


def _refuse_unknown_keys(where: str, found: Mapping[str, Any], known: set[str]) -> None:
    assert found.keys() <= known, f"{where}: unknown keys {sorted(found.keys() - known)}; known: {sorted(known)}."


def run_case(library: Library, case: Case) -> list[Row]:
    """Build the case's model from its given rows; return the built rows, `case.columns` only."""
    model, contract = library.models[case.table], library.contracts[case.table]
    assert case.parameters.keys() == model.parameters, f"{case.table} binds {sorted(model.parameters)}."
    assert case.given.keys() <= model.reads, f"{case.table} reads {sorted(model.reads)}, not {sorted(case.given)}."
    with duckdb.connect() as connection:
        for upstream in sorted(model.reads):
            create_table(connection, library.contracts[upstream], case.given.get(upstream, []))
        library.build(connection, case.table, BUILT, case.parameters)
        built = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE {quoted(BUILT)}").fetchall()}
        assert _as_stored(built, contract) == contract.types
        for column in (column.name for column in contract.columns if not column.nullable):
            nulls = connection.table(BUILT).filter(f"{quoted(column)} IS NULL").fetchall()
            assert not nulls, f"{case.table}.{column} is null, which its contract forbids"
        query = f"SELECT {quoted_list(case.columns)} FROM {quoted(BUILT)}"
        rows = connection.execute(query).fetchall()
    return [dict(zip(case.columns, row, strict=True)) for row in rows]


def _as_stored(built: Mapping[str, str], contract: Contract) -> dict[str, str]:
    """The types of the built columns, those narrowed that a table by arrival day stores in fewer bytes."""
    narrower = STORED_AS if contract.materialisation == "arrival_day" else {}
    return {
        name: narrower[kind] if narrower.get(kind) == contract.types.get(name) else kind for name, kind in built.items()
    }


def create_table(connection: duckdb.DuckDBPyConnection, contract: Contract, rows: Sequence[Row]) -> None:
    """Create the table of a contract, its NOT NULL included, and insert the rows."""
    typed = ", ".join(
        f"{quoted(column.name)} {column.type}{'' if column.nullable else ' NOT NULL'}" for column in contract.columns
    )
    connection.execute(f"CREATE TABLE {quoted(contract.table)} ({typed})")
    slots = ", ".join("?" * len(contract.columns))
    for row in rows:
        unknown = sorted(row.keys() - set(contract.column_names))
        assert not unknown, f"{contract.table} has no column {unknown}; it has {contract.column_names}."
        values = [row[column.name] if column.name in row else _default(contract, column) for column in contract.columns]
        connection.execute(f"INSERT INTO {quoted(contract.table)} VALUES ({slots})", values)


def _default(contract: Contract, column: Column) -> object:
    if column.nullable:
        return None
    kind = column.type.partition("(")[0]
    known = kind in ZEROS or kind == "DECIMAL"
    assert known, f"{contract.table}.{column.name} is a {column.type} and never null: give it, or name a default."
    return ZEROS.get(kind, 0)


def differences(expected: Sequence[Row], found: Sequence[Row]) -> list[str]:
    """What keeps two multisets of rows from being equal, one line per row; empty if they are equal."""
    unmatched = list(found)
    lines = []
    for row in expected:
        match = next((other for other in unmatched if _same_row(row, other)), None)
        if match is None:
            lines.append(f"expected, not built: {row}")
        else:
            unmatched.remove(match)
    return lines + [f"built, not expected: {row}" for row in unmatched]


def _same_row(expected: Row, found: Row) -> bool:
    return all(_same(value, found[name]) for name, value in expected.items())


def _same(expected: object, found: object) -> bool:
    numbers = (int, float, Decimal)
    if isinstance(expected, bool) or isinstance(found, bool) or not isinstance(expected, numbers):
        return type(expected) is type(found) and expected == found
    if isinstance(found, float):
        return isclose(float(expected), found, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return isinstance(found, numbers) and Decimal(str(expected)) == found


@cache
def all_cases() -> tuple[Case, ...]:
    """The cases of every file, in the order of the files."""
    return tuple(case for path in sorted(CASES.glob("*/*.yml")) for case in read_cases(path))


def cases_of(table: str) -> Iterator[Case]:
    """The cases of one model."""
    return (case for case in all_cases() if case.table == table)


def models_of(materialisation: str) -> list[str]:
    """Models with that materialisation."""
    library = default_library()
    return sorted(table for table in library.models if library.contracts[table].materialisation == materialisation)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Read cases and library when tests are collected, not when this module is imported."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", all_cases(), ids=lambda case: f"{case.table}-{case.name}")
    if "table" in metafunc.fixturenames:
        metafunc.parametrize("table", sorted(default_library().models))
    for materialisation in ("snapshot", "arrival_day"):
        if f"{materialisation}_table" in metafunc.fixturenames:
            metafunc.parametrize(f"{materialisation}_table", models_of(materialisation))


def test_model_builds_the_expected_rows(case: Case) -> None:
    found = run_case(default_library(), case)
    problems = differences(case.expected, found)
    assert not problems, "\n".join([case.name, *problems])


def test_every_model_has_a_case_file_in_its_stage_and_no_file_is_left_over() -> None:
    library = default_library()
    expected = {f"{library.contracts[table].stage}/{table}.yml" for table in library.models}
    assert {path.relative_to(CASES).as_posix() for path in CASES.glob("*/*.yml")} == expected


def test_every_column_is_expected_to_hold_something_in_some_case(table: str) -> None:
    shown = {
        column
        for case in cases_of(table)
        for row in case.expected
        for column, value in row.items()
        if value is not None and value is not False and value != 0
    }
    assert set(default_library().contracts[table].column_names) - shown == set()


def test_every_snapshot_model_has_a_case_with_an_event_exactly_at_the_cutoff(snapshot_table: str) -> None:
    assert any(
        case.parameters["snapshot_date"] in (row.get("event_date"), row.get("order_date"), row.get("session_date"))
        for case in cases_of(snapshot_table)
        for rows in case.given.values()
        for row in rows
    )


def test_every_arrival_day_model_has_a_case_at_and_beyond_its_first_and_last_day(arrival_day_table: str) -> None:
    def wanted(case: Case) -> set[date]:
        first, last, one = case.parameters["first_day"], case.parameters["last_day"], timedelta(days=1)
        return {first - one, first, last, last + one} if first < last else {date.max}

    def arrivals(case: Case) -> set[object]:
        return {row.get("known_date") for rows in case.given.values() for row in rows}

    assert any(wanted(case) <= arrivals(case) for case in cases_of(arrival_day_table))


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({"n": 1}, {"n": 2}),
        ({"n": 1}, {"n": True}),
        ({"n": 0}, {"n": None}),
        ({"n": None}, {"n": 0}),
        ({"n": "1"}, {"n": 1}),
        ({"n": 0.1}, {"n": 0.1 + 1e-11}),
        ({"n": 0.1}, {"n": Decimal("0.1001")}),
        ({"n": date(2024, 1, 1)}, {"n": datetime(2024, 1, 1)}),  # noqa: DTZ001 - DuckDB's TIMESTAMP has no zone
    ],
)
def test_a_wrong_value_is_a_difference(expected: Row, found: Row) -> None:
    assert differences([expected], [found]) == [f"expected, not built: {expected}", f"built, not expected: {found}"]


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({"n": 1}, {"n": 1.0}),
        ({"n": 0.1 + 0.2}, {"n": 0.3}),
        ({"n": 9.99}, {"n": Decimal("9.9900")}),
        ({"n": None}, {"n": None}),
        ({"n": False}, {"n": False}),
    ],
)
def test_an_equal_value_is_no_difference(expected: Row, found: Row) -> None:
    assert differences([expected], [found]) == []


def test_rows_are_compared_as_a_multiset() -> None:
    one, two = {"n": 1}, {"n": 2}
    assert differences([one, two], [two, one]) == []
    assert differences([one, one], [one]) == [f"expected, not built: {one}"]
    assert differences([one], [one, one]) == [f"built, not expected: {one}"]


def test_a_case_with_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dim_users.yml"
    path.write_text("cases: {a: {givn: {}, columns: [user_id], expected: []}}", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"unknown keys \['givn'\]"):
        read_cases(path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"stg_events": [{"user": "a"}]}, r"stg_events has no column \['user'\]"),
        ({"stg_events": [{"user_id": "a"}]}, r"stg_events.event_id is a VARCHAR and never null: give it"),
        ({"user_days": []}, r"event_weeks reads \['stg_events'\]"),
    ],
)
def test_a_given_table_that_cannot_be_is_refused(given: Mapping[str, Sequence[Row]], message: str) -> None:
    bound = {"timezone": "UTC"}
    case = Case(table="event_weeks", name="bad", parameters=bound, given=given, columns=["events"], expected=[])
    with pytest.raises(AssertionError, match=message):
        run_case(default_library(), case)


def test_a_given_row_must_keep_its_contract() -> None:
    case = next(cases_of("event_weeks"))
    rows = [row | {"user_id": None} for row in case.given["stg_events"]]
    broken = Case(case.table, "null user", case.parameters, {"stg_events": rows}, case.columns, case.expected)
    with pytest.raises(duckdb.ConstraintException, match="user_id"):
        run_case(default_library(), broken)
