"""Great Expectations on a DuckDB connection that is already open, with every check pushed down into DuckDB."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import duckdb

from churn_platform.contracts.quiet import quiet

if TYPE_CHECKING:
    import sqlalchemy
    from great_expectations import ExpectationSuite
    from great_expectations.core.expectation_validation_result import (
        ExpectationValidationResult,
    )
    from great_expectations.data_context.data_context.abstract_data_context import (
        AbstractDataContext,
    )
    from great_expectations.datasource.fluent.sql_datasource import SQLDatasource


@dataclass(frozen=True)
class Verdict:
    """What Great Expectations says of one rule; `reason` is the error of a rule that it could not evaluate."""

    status: Literal["passed", "failed", "not_run"]
    reason: str = ""


def run_suite(connection: duckdb.DuckDBPyConnection, table: str, suite: "ExpectationSuite") -> dict[str, Verdict]:
    """Validate a committed table and return the verdict by the rule's name (`meta["rule"]` of each expectation).

    Each query runs on a cursor of its own, closed after it, so it sees what is committed when it starts and never the
    snapshot of an earlier validation. Uncommitted rows of the connection are not seen.
    """
    with quiet(), _engine(connection) as engine:
        datasource = _datasource_type()(name="warehouse")
        datasource._engine = engine
        datasource._data_context = _context()
        batch = datasource.add_table_asset(table).add_batch_definition_whole_table("all rows").get_batch()
        outcome = batch.validate(suite, result_format="BASIC")
    return {_rule_name(result): _verdict(result) for result in outcome.results}


@contextmanager
def _engine(connection: duckdb.DuckDBPyConnection) -> Iterator["sqlalchemy.Engine"]:
    """An SQLAlchemy engine whose connections are cursors of the open one, not second connects to the file."""
    import sqlalchemy
    from duckdb_engine import ConnectionWrapper

    engine = sqlalchemy.create_engine(
        "duckdb:///:memory:",
        creator=lambda: ConnectionWrapper(connection.cursor()),
        poolclass=sqlalchemy.pool.NullPool,
    )
    try:
        yield engine
    finally:
        engine.dispose()


def _context() -> "AbstractDataContext":
    import great_expectations
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    return great_expectations.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
        ),
    )


@cache
def _datasource_type() -> "type[SQLDatasource]":
    """The data source on a given engine. Made once: Great Expectations registers each class by its `type`."""
    from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
    from great_expectations.execution_engine.sqlalchemy_execution_engine import (
        SqlAlchemyExecutionEngine,
    )

    class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):
        """Fetches rows while the connection is open; the stock engine fetches after it is closed."""

        def execute_query(self, query: Any) -> Any:
            with self.get_connection() as connection:
                return connection.execute(query).freeze()()

        def execute_query_in_transaction(self, query: Any) -> Any:
            with self.get_connection() as connection, connection.begin():
                return connection.execute(query).freeze()()

    class DuckDBDatasource(SQLDatasource):
        type: Literal["open_duckdb"] = "open_duckdb"  # type: ignore[assignment]  # each data source narrows it
        connection_string: str = "duckdb:///:memory:"

        def get_engine(self) -> Any:
            return self._engine

        def get_execution_engine(self) -> SqlAlchemyExecutionEngine:
            return DuckDBExecutionEngine(engine=self._engine, create_temp_table=False)

    return DuckDBDatasource


def _rule_name(result: "ExpectationValidationResult") -> str:
    meta = result.expectation_config.meta if result.expectation_config else None
    return str(meta["rule"]) if meta else ""


def _verdict(result: "ExpectationValidationResult") -> Verdict:
    errors = _error_messages(result.exception_info or {})
    if errors:
        return Verdict("not_run", " | ".join(errors))
    return Verdict("passed") if result.success else Verdict("failed")


def _error_messages(info: dict[str, Any]) -> list[str]:
    """The errors of one result: Great Expectations gives one mapping, or one for each metric that failed."""
    details = [info] if "raised_exception" in info else [detail for detail in info.values() if isinstance(detail, dict)]
    messages = [str(detail.get("exception_message")) for detail in details if detail.get("raised_exception")]
    return list(dict.fromkeys(messages))
