"""Which source columns an output column is made of, from the parsed SQL."""

from collections.abc import Mapping

from sqlglot import exp
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from churn_platform.sql.library import Library
from churn_platform.sql.model import DIALECT

ColumnLineage = Mapping[str, tuple[tuple[str, str], ...]]


def column_lineage(library: Library, table: str) -> ColumnLineage:
    """Map each column of `table` to the sorted (table, column) pairs that its value is computed from.

    Filters and join conditions are not lineage. A table that Python builds has none.
    """
    model = library.models.get(table)
    if model is None:
        return {}
    query = qualify(model.query.copy(), schema=library.schema, dialect=DIALECT)
    scope = build_scope(query)
    return {
        column: _leaves(
            lineage(column, query, library.schema, scope=scope, dialect=DIALECT, trim_selects=False, copy=False),
            library,
        )
        for column in model.columns
    }


def _leaves(root: Node, library: Library) -> tuple[tuple[str, str], ...]:
    found = set()
    for node in root.walk():
        source = node.source
        if isinstance(source, exp.Table) and source.name in library.contracts:
            found.add((source.name, node.name.split(".")[-1].strip('"')))
    return tuple(sorted(found))
