"""Rules as a Great Expectations suite. Great Expectations is imported on first use: its import takes about 4 s."""

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from churn_platform.contracts.contract import Contract
from churn_platform.contracts.quiet import quiet
from churn_platform.contracts.rules import Rule, Scope

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite
    from great_expectations.expectations.core.unexpected_rows_expectation import (
        UnexpectedRowsExpectation,
    )
    from great_expectations.expectations.expectation import Expectation

AUDITED = "__audited__"


def suite(contract: Contract, rules: list[Rule], scope: Scope) -> "ExpectationSuite":
    """One expectation per rule; each carries its rule's name in `meta["rule"]`.

    `scope.audited` is not used: the expectations run on the batch that Great Expectations is given.
    """
    with quiet():
        from great_expectations import ExpectationSuite

        expectations = [expectation(contract, rule, scope) for rule in rules]
        return ExpectationSuite(name=contract.table, expectations=expectations)


def expectation(contract: Contract, rule: Rule, scope: Scope) -> "Expectation":
    """The expectation of one rule: a stock type where it works on DuckDB, else one over the rule's bad rows."""
    from great_expectations.expectations.core.expect_column_values_to_be_between import (
        ExpectColumnValuesToBeBetween,
    )
    from great_expectations.expectations.core.expect_column_values_to_be_in_set import (
        ExpectColumnValuesToBeInSet,
    )
    from great_expectations.expectations.core.expect_column_values_to_not_be_null import (
        ExpectColumnValuesToNotBeNull,
    )
    from great_expectations.expectations.core.expect_table_row_count_to_be_between import (
        ExpectTableRowCountToBeBetween,
    )
    from great_expectations.expectations.metadata_types import FailureSeverity

    shared: dict[str, Any] = {
        "description": rule.description,
        "meta": {"rule": rule.name},
        "severity": FailureSeverity(rule.severity),
    }
    if rule.kind == "not_empty":
        return ExpectTableRowCountToBeBetween(min_value=1, **shared)
    if rule.kind not in ("not_null", "between", "one_of"):
        return no_bad_rows()(unexpected_rows_query=bad_rows_of_batch(rule, scope), **shared)
    column = contract.column(rule.columns[0])
    if rule.kind == "not_null":
        return ExpectColumnValuesToNotBeNull(column=column.name, **shared)
    if rule.kind == "between":
        shared |= {"min_value": column.min, "max_value": column.max}
        return ExpectColumnValuesToBeBetween(column=column.name, **shared)
    return ExpectColumnValuesToBeInSet(column=column.name, value_set=column.one_of or [], **shared)


def bad_rows_of_batch(rule: Rule, scope: Scope) -> str:
    """A rule's bad rows as a query over `{batch}`.

    Great Expectations formats the query as a template and SQLAlchemy takes `:name` in it as a parameter, so braces are
    doubled and colons escaped. The common table expression gives the batch one name wherever the query uses it; it is
    not materialised, so that DuckDB reads only the columns that the rule needs.
    """
    bad_rows = rule.bad_rows_sql(Scope(AUDITED, scope.kept, scope.outside))
    escaped = bad_rows.replace("{", "{{").replace("}", "}}").replace(":", r"\:")
    return f"WITH {AUDITED} AS NOT MATERIALIZED (SELECT * FROM {{batch}}) {escaped}"


@cache
def no_bad_rows() -> "type[UnexpectedRowsExpectation]":
    """The expectation type of rules given by their bad rows: it counts them in DuckDB.

    The stock type also fetches the rows, and so runs every query twice (2.4 times the time on 5 million rows).
    """
    from great_expectations.expectations.core.unexpected_rows_expectation import (
        UnexpectedRowsExpectation,
    )

    class ExpectNoBadRows(UnexpectedRowsExpectation):
        metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

        def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
            count = metrics["unexpected_rows_query.row_count"]
            return {"success": count == 0, "result": {"observed_value": count}}

    return ExpectNoBadRows
