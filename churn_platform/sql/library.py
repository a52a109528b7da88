"""The library of `dbt_like_sql/`: every table's contract, and the model of those that SQL builds."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import duckdb
import polars as pl
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify

from churn_platform.contracts.contract import Contract, load_contract
from churn_platform.contracts.families import Family, read_families
from churn_platform.contracts.quoting import quoted, quoted_list
from churn_platform.errors import DefinitionError, suggest
from churn_platform.settings import REPOSITORY
from churn_platform.sql.model import DIALECT, Model, read_model
from churn_platform.sql.parameters import Value

FOLDER = REPOSITORY / "dbt_like_sql"
FAMILIES = "families.yml"
# The table whose columns a feature may need (`needs` of its contract).
MEASURES = "user_days"


@dataclass(frozen=True)
class Library:
    """All tables of the warehouse.

    `contracts` has every table, `models` only those that SQL builds, `families` those that the features are in.
    """

    contracts: Mapping[str, Contract]
    models: Mapping[str, Model]
    families: Mapping[str, Family]

    def contract(self, table: str) -> Contract:
        """Raises DefinitionError if no table of that name has a contract."""
        if table not in self.contracts:
            raise DefinitionError(f"No contract for table '{table}'.{suggest(table, sorted(self.contracts))}")
        return self.contracts[table]

    def dependencies(self, table: str) -> frozenset[str]:
        """Tables that must be built first: what the query reads, a foreign key points to, or a feature needs."""
        read = self.models[table].dependencies if table in self.models else frozenset()
        contract = self.contract(table)
        keys = {referenced for referenced, _ in contract.references.values()}
        needed = {MEASURES for column in contract.columns if column.needs}
        return (read | keys | needed) - {table}

    @cached_property
    def schema(self) -> dict[str, object]:
        """table → column → DuckDB type, from the contracts."""
        return {
            name: {column.name: column.type for column in contract.columns} for name, contract in self.contracts.items()
        }

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Tables, each after what it depends on.

        Raises:
            DefinitionError: the tables depend on each other in a cycle.
        """
        graph = {table: sorted(self.dependencies(table)) for table in sorted(self.contracts)}
        try:
            return tuple(TopologicalSorter(graph).static_order())
        except CycleError as error:
            raise DefinitionError(
                f"Tables depend on each other in a cycle: {' → '.join(reversed(error.args[1]))}."
            ) from error

    @cached_property
    def code_versions(self) -> Mapping[str, str]:
        """table → hash of its query and contract and of those of everything upstream."""
        versions: dict[str, str] = {}
        for table in self.order:
            parts = [_fingerprint(self.contracts[table])]
            parts += [self.models[table].fingerprint] if table in self.models else []
            parts += [versions[upstream] for upstream in sorted(self.dependencies(table))]
            versions[table] = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
        return versions

    def build(
        self, connection: duckdb.DuckDBPyConnection, table: str, target: str, values: Mapping[str, Value]
    ) -> None:
        """Run the model of `table` and write its rows to the new table `target`.

        Raises:
            DefinitionError: a parameter of the model has no value.
        """
        self._run(connection, table, f"CREATE TABLE {quoted(target)} AS", values)

    def append(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        target: str,
        values: Mapping[str, Value],
        *,
        absent: Collection[str] = (),
    ) -> None:
        """Run the model of `table` and add its rows to the table `target`, null in the columns `absent`.

        Raises as `build` does.
        """
        kept = f"SELECT * EXCLUDE ({quoted_list(sorted(absent))}) FROM" if absent else "FROM"
        self._run(connection, table, f"INSERT INTO {quoted(target)} BY NAME {kept} (", values, after="\n)")

    def rows(self, connection: duckdb.DuckDBPyConnection, table: str, values: Mapping[str, Value]) -> pl.DataFrame:
        """What the model of `table` gives for these values, written nowhere. Raises as `build` does."""
        return self._run(connection, table, "", values).pl()

    def _run(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        into: str,
        values: Mapping[str, Value],
        after: str = "",
    ) -> duckdb.DuckDBPyConnection:
        model = self.models[table]
        for name in sorted(model.parameters - values.keys()):
            raise DefinitionError(f"{model.path}: parameter ${name} has no value here.{suggest(name, sorted(values))}")
        bound = {name: values[name] for name in model.parameters}
        return connection.execute(f"{into}\n{model.text}{after}", bound or None)


def load_library(folder: Path = FOLDER) -> Library:
    """Read and check every model and contract below `folder`.

    Raises:
        DefinitionError: see `read_model` and `read_families`; also a family that is not declared, a SQL file without
            contract, a table or column that nobody builds, a foreign key to a table or column that does not exist, or a
            cycle.
    """
    contracts: dict[str, Contract] = {}
    for path in sorted(folder.glob("*/*.yml")):
        contract = load_contract(path)
        if contract.table in contracts:
            raise DefinitionError(
                f"{path}: table '{contract.table}' has a second contract; table names are unique over all stages."
            )
        contracts[contract.table] = contract
    models: dict[str, Model] = {}
    for path in sorted(folder.glob("*/*.sql")):
        if path.stem not in contracts or contracts[path.stem].stage != path.parent.name:
            raise DefinitionError(f"{path} has no contract. Expected {path.with_suffix('.yml')} beside it.")
        models[path.stem] = read_model(path, contracts[path.stem])
    families = read_families(folder / FAMILIES) if (folder / FAMILIES).exists() else {}
    library = Library(contracts=contracts, models=models, families=families)
    _check_references(library)
    _check_families(library, folder / FAMILIES)
    _check_acyclic(library)
    for model in models.values():
        _check_columns_exist(model, library)
    return library


def _fingerprint(contract: Contract) -> str:
    """Hash of what a contract enforces; its wording does not count."""
    enforced = contract.model_dump_json(
        exclude={"description": True, "owner": True, "columns": {"__all__": {"meaning", "unit", "reason", "zh"}}}
    )
    return hashlib.sha256(enforced.encode()).hexdigest()


def _check_acyclic(library: Library) -> None:
    library.order  # noqa: B018 - raises on a cycle


@cache
def default_library() -> Library:
    """The project's own library, read once a process."""
    return load_library()


def _check_references(library: Library) -> None:
    known = sorted(library.contracts)
    for model in library.models.values():
        for table in sorted(model.reads - library.contracts.keys()):
            raise DefinitionError(f"{model.path} reads '{table}', which nobody builds.{suggest(table, known)}")
    measures = library.contracts[MEASURES].column_names if MEASURES in library.contracts else []
    for contract in library.contracts.values():
        for name, needed in ((column.name, measure) for column in contract.columns for measure in column.needs):
            if needed not in measures:
                raise DefinitionError(
                    f"{contract.table}.{name} needs '{needed}', which is no measure of {MEASURES}."
                    f"{suggest(needed, measures)}"
                )
        for column, (table, referenced) in contract.references.items():
            if table not in library.contracts:
                raise DefinitionError(
                    f"{contract.table}.{column} references '{table}', which nobody builds.{suggest(table, known)}"
                )
            if referenced not in library.contracts[table].column_names:
                existing = list(library.contracts[table].column_names)
                raise DefinitionError(
                    f"{contract.table}.{column} references '{table}.{referenced}', which does not exist."
                    f"{suggest(referenced, existing)}"
                )


def _check_families(library: Library, file: Path) -> None:
    for contract in library.contracts.values():
        for column in contract.columns:
            if column.family and column.family not in library.families:
                raise DefinitionError(
                    f"{contract.table}.{column.name} is in the family '{column.family}', which {file} does not declare."
                    f"{suggest(column.family, sorted(library.families))}"
                )


def _check_columns_exist(model: Model, library: Library) -> None:
    try:
        qualify(model.query.copy(), schema=library.schema, dialect=DIALECT, validate_qualify_columns=True)
    except SqlglotError as error:
        columns = "; ".join(
            f"{table}({', '.join(library.contracts[table].column_names)})" for table in sorted(model.reads)
        )
        raise DefinitionError(f"{model.path}: {error}. Columns that exist: {columns}.") from error
