"""One SQL model: what its text says about its dependencies, parameters and columns."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from churn_platform.contracts.contract import Contract
from churn_platform.errors import DefinitionError, suggest
from churn_platform.sql.parameters import PARAMETERS, REQUIRED

DIALECT = "duckdb"


@dataclass(frozen=True)
class Model:
    """A `SELECT` in `dbt_like_sql/<stage>/<table>.sql`, parsed once.

    Everything here is derived from the text: nothing is declared a second time.
    """

    contract: Contract
    path: Path
    text: str
    query: exp.Query

    @property
    def table(self) -> str:
        return self.contract.table

    @cached_property
    def dependencies(self) -> frozenset[str]:
        """Tables that the query reads, its own (an incremental model may) left out."""
        return self.reads - {self.table}

    @cached_property
    def reads(self) -> frozenset[str]:
        """Every table named in a FROM or JOIN that is not a CTE of the query."""
        ctes = {cte.alias for cte in self.query.find_all(exp.CTE)}
        return frozenset(
            table.name for table in self.query.find_all(exp.Table) if table.name and table.name not in ctes
        )

    @cached_property
    def parameters(self) -> frozenset[str]:
        """Names bound as `$name`."""
        return frozenset(str(found.this) for found in self.query.find_all(exp.Placeholder) if found.this)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the output columns, in order."""
        return tuple(self.query.named_selects)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what the query does: comments and layout do not count."""
        canonical = self.query.sql(DIALECT, comments=False, normalize=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


def read_model(path: Path, contract: Contract) -> Model:
    """Parse a model and check it against its contract.

    Raises:
        DefinitionError: the file is not one SELECT, selects `*` outermost, binds an unknown parameter, misses one that
            its materialisation needs, or its columns are not those of the contract.
    """
    text = path.read_text(encoding="utf-8")
    try:
        statements = [statement for statement in sqlglot.parse(text, dialect=DIALECT) if statement is not None]
    except SqlglotError as error:
        raise DefinitionError(f"{path} cannot be parsed as DuckDB SQL: {error}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise DefinitionError(f"{path} must hold exactly one SELECT; found {len(statements)} statement(s).")
    model = Model(contract=contract, path=path, text=text, query=statements[0])
    _check_ctes(model)
    _check_columns(model)
    _check_parameters(model)
    return model


def _check_ctes(model: Model) -> None:
    """A CTE that reads a table of its own name would hide that dependency."""
    for cte in model.query.find_all(exp.CTE):
        if any(table.name == cte.alias for table in cte.this.find_all(exp.Table)):
            raise DefinitionError(f"{model.path}: the CTE '{cte.alias}' reads a table of its own name. Rename the CTE.")


def _check_columns(model: Model) -> None:
    if model.query.is_star:
        names = ", ".join(model.contract.column_names)
        raise DefinitionError(
            f"{model.path}: the outermost SELECT has a *. Name every column, as in the contract: {names}."
        )
    declared, selected = set(model.contract.column_names), set(model.columns)
    if declared != selected or len(selected) != len(model.columns):
        missing, extra = sorted(declared - selected), sorted(selected - declared)
        repeated = sorted({name for name in model.columns if model.columns.count(name) > 1})
        raise DefinitionError(
            f"{model.path} and its contract disagree. "
            f"In the contract but not selected: {', '.join(missing) or 'none'}. "
            f"Selected but not in the contract: {', '.join(extra) or 'none'}. "
            f"Selected twice: {', '.join(repeated) or 'none'}."
        )


def _check_parameters(model: Model) -> None:
    for name in sorted(model.parameters - PARAMETERS.keys()):
        raise DefinitionError(f"{model.path}: unknown parameter ${name}.{suggest(name, sorted(PARAMETERS))}")
    kind = model.contract.materialisation
    for name in sorted(REQUIRED[kind] - model.parameters):
        raise DefinitionError(
            f"{model.path}: missing parameter ${name}: "
            f"materialisation '{kind}' builds one partition at a time and must bind it."
        )
    misplaced = model.parameters & (frozenset().union(*REQUIRED.values()) - REQUIRED[kind])
    for name in sorted(misplaced):
        raise DefinitionError(f"{model.path}: parameter ${name} has no value in materialisation '{kind}'.")
