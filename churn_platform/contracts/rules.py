"""The rules that a contract implies, each with the SQL that selects the rows which break it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from churn_platform.contracts.contract import Column, Contract, RowRule, Severity
from churn_platform.contracts.quoting import literal, quoted, quoted_list
from churn_platform.contracts.row_condition import columns_of_condition

Kind = Literal["not_empty", "in_partition", "unique", "not_null", "between", "one_of", "finite", "foreign_key", "row"]


@dataclass(frozen=True)
class Scope:
    """What the rules of a table are evaluated on, as SQL that may follow FROM or WHERE.

    `audited` names the new rows; `kept` selects the published rows that stay beside them (None: there are none);
    `outside` is true for a row outside the replaced range (None: the whole table is replaced).
    """

    audited: str
    kept: str | None = None
    outside: str | None = None


@dataclass(frozen=True)
class Rule:
    """One rule. `name` is a valid Dagster check name; `bad_rows_sql` gives all columns of all rows that break it."""

    name: str
    kind: Kind
    severity: Severity
    columns: tuple[str, ...]
    description: str
    bad_rows_sql: Callable[[Scope], str]


def derive_rules(contract: Contract) -> list[Rule]:
    """All rules of a contract, in a stable order; the names are unique."""
    rules = [] if contract.may_be_empty else [_not_empty()]
    if contract.partition_column:
        rules.append(_in_partition(contract.partition_column))
    rules += [_unique(key, over_all=over_all) for key, over_all in _keys(contract).items()]
    for column in contract.columns:
        rules += _column_rules(column)
    floats = [column.name for column in contract.columns if column.type in ("DOUBLE", "FLOAT")]
    if floats:
        rules.append(_finite(floats))
    return rules + [_row_rule(rule) for rule in contract.rules]


def _keys(contract: Contract) -> dict[tuple[str, ...], bool]:
    """Key columns → whether rows of other partitions can hold the same key."""
    incremental = contract.partition_column is not None
    keys = {tuple(contract.grain): incremental and contract.partition_column not in contract.grain}
    return keys | {(column.name,): incremental for column in contract.columns if column.unique}


def _not_empty() -> Rule:
    return Rule(
        name="not_empty",
        kind="not_empty",
        severity="critical",
        columns=(),
        description="There is at least one row.",
        bad_rows_sql=lambda scope: f"SELECT * FROM {scope.audited} WHERE false",
    )


def _in_partition(column: str) -> Rule:
    return Rule(
        name=f"in_partition__{column}",
        kind="in_partition",
        severity="critical",
        columns=(column,),
        description=f"Every row's {column} lies in the range that this write replaces.",
        bad_rows_sql=lambda scope: f"SELECT * FROM {scope.audited} WHERE {scope.outside or 'false'}",
    )


def _unique(key: Sequence[str], *, over_all: bool) -> Rule:
    def bad_rows(scope: Scope) -> str:
        names = quoted_list(key)
        repeated = f"SELECT {names} FROM {scope.audited} GROUP BY {names} HAVING count(*) > 1"
        if over_all and scope.kept:
            kept = f"{scope.kept} AS kept SEMI JOIN {scope.audited} AS new USING ({names})"
            repeated += f" UNION ALL SELECT {names} FROM {kept}"
        return f"SELECT audited.* FROM {scope.audited} AS audited SEMI JOIN ({repeated}) AS repeated USING ({names})"

    return Rule(
        name="__".join(["unique", *key]),
        kind="unique",
        severity="critical",
        columns=tuple(key),
        description=f"No two rows share {' + '.join(key)}" + (", over all partitions." if over_all else "."),
        bad_rows_sql=bad_rows,
    )


def _column_rules(column: Column) -> list[Rule]:
    name = quoted(column.name)
    rules = []
    if not column.nullable:
        rules.append(_where("not_null", column.name, f"{column.name} is never null.", f"{name} IS NULL"))
    bounds = [(column.min, "<", "at least"), (column.max, ">", "at most")]
    given = [(bound, sign, word) for bound, sign, word in bounds if bound is not None]
    if given:
        bad = " OR ".join(f"{name} {sign} {literal(bound)}" for bound, sign, _ in given)
        allowed = " and ".join(f"{word} {bound}" for bound, _, word in given)
        rules.append(_where("between", column.name, f"{column.name} is {allowed}.", bad))
    if column.one_of:
        allowed = ", ".join(str(value) for value in column.one_of)
        bad = f"{name} NOT IN ({', '.join(literal(value) for value in column.one_of)})"
        rules.append(_where("one_of", column.name, f"{column.name} is one of {allowed}.", bad))
    if column.references:
        rules.append(_foreign_key(column.name, *column.references.split(".")))
    return rules


def _where(kind: Kind, column: str, description: str, bad: str) -> Rule:
    return Rule(
        name=f"{kind}__{column}",
        kind=kind,
        severity="critical",
        columns=(column,),
        description=description,
        bad_rows_sql=lambda scope: f"SELECT * FROM {scope.audited} WHERE {bad}",
    )


def _finite(columns: Sequence[str]) -> Rule:
    """One rule for all float columns: DuckDB sorts NaN above every number, so that no lower bound catches it."""
    bad = " OR ".join(f"NOT isfinite({quoted(column)})" for column in columns)
    return Rule(
        name="finite_numbers",
        kind="finite",
        severity="critical",
        columns=tuple(columns),
        description=f"None of {', '.join(columns)} is infinite or not a number.",
        bad_rows_sql=lambda scope: f"SELECT * FROM {scope.audited} WHERE {bad}",
    )


def _foreign_key(column: str, table: str, key: str) -> Rule:
    own, other = f"audited.{quoted(column)}", f"referenced.{quoted(key)}"
    return Rule(
        name=f"foreign_key__{column}",
        kind="foreign_key",
        severity="critical",
        columns=(column,),
        description=f"Every {column} that is not null exists in {table}.{key}.",
        bad_rows_sql=lambda scope: (
            f"SELECT audited.* FROM {scope.audited} AS audited ANTI JOIN {quoted(table)} AS referenced"
            f" ON {own} = {other} WHERE {own} IS NOT NULL"
        ),
    )


def _row_rule(rule: RowRule) -> Rule:
    return Rule(
        name=rule.name,
        kind="row",
        severity=rule.severity,
        columns=tuple(columns_of_condition(rule.name, rule.bad)),
        description=f"No row satisfies: {rule.bad}",
        bad_rows_sql=lambda scope: f"SELECT * FROM {scope.audited} WHERE ({rule.bad}\n)",
    )
