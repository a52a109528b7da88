"""The SQL expressions a mapping may use: parsed, allow-listed, and bound to a file's columns."""

from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError

from churn_platform.errors import InputError, suggest

STRUCTURE = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Tuple, exp.Var, exp.Interval,
    exp.DataType, exp.DataTypeParam, exp.Bracket, exp.Slice, exp.JSONPath, exp.JSONPathPart,
)  # fmt: skip
ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg)
COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
OPERATORS = (
    *ARITHMETIC, *COMPARISONS, exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between, exp.Like, exp.ILike, exp.Escape,
    exp.DPipe, exp.Case, exp.If, exp.Cast, exp.TryCast,
)  # fmt: skip
NUMBER_FUNCTIONS = (exp.Abs, exp.Round, exp.Floor, exp.Ceil, exp.Sign)
FUNCTIONS = {
    exp.Abs: "abs", exp.Round: "round", exp.Floor: "floor", exp.Ceil: "ceil", exp.Sign: "sign",
    exp.Coalesce: "coalesce", exp.Nullif: "nullif", exp.Greatest: "greatest", exp.Least: "least",
    exp.Upper: "upper", exp.Lower: "lower", exp.Trim: "trim", exp.Substring: "substring", exp.Left: "left",
    exp.Right: "right", exp.Length: "length", exp.Replace: "replace", exp.Concat: "concat", exp.ConcatWs: "concat_ws",
    exp.SplitPart: "split_part", exp.StartsWith: "starts_with", exp.EndsWith: "ends_with", exp.Contains: "contains",
    exp.RegexpExtract: "regexp_extract", exp.RegexpReplace: "regexp_replace", exp.RegexpLike: "regexp_matches",
    exp.JSONExtractScalar: "json_extract_string", exp.TimestampTrunc: "date_trunc", exp.StrToTime: "strptime",
    exp.UnixToTime: "to_timestamp", exp.MD5: "md5",
}  # fmt: skip
AS_NUMBER = "as_double"  # a macro of numbers.py
ALLOWED = (*STRUCTURE, *OPERATORS, *FUNCTIONS)


@dataclass(frozen=True)
class BoundExpression:
    """An expression over a file's own columns, as DuckDB SQL with every identifier quoted.

    `number_columns`: text columns that it uses as numbers (a text that is no number becomes NULL there).
    """

    sql: str
    number_columns: frozenset[str] = frozenset()


def parse_expression(text: str, key: str) -> exp.Expr:
    """Parse one mapping expression in DuckDB's dialect and check that it uses only what is allowed.

    A dotted name becomes one column of that whole name: a field of a nested object, where no column has the name.

    Args:
        key: the mapping key, for the error, such as `columns.amount`.

    Raises:
        InputError: not one expression, or it uses a subquery or a function outside the list.
    """
    try:
        expression: exp.Expr = exp.maybe_parse(text, into=exp.Condition, dialect="duckdb")
    except SqlglotError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"Mapping key {key}: '{text}' is not one SQL expression ({reason}).") from error
    expression = expression.transform(_dotted_as_one)
    for node in expression.walk():
        if not isinstance(node, ALLOWED) or (isinstance(node, exp.In) and node.args.get("query")):
            raise InputError(
                f"Mapping key {key}: '{node.sql('duckdb')}' in '{text}' is not allowed. A mapping expression may use "
                "columns of the file, constants, operators, CASE, CAST and the functions "
                f"{', '.join(sorted(FUNCTIONS.values()))}."
            )
    return expression


def column_names(expression: exp.Expr) -> list[str]:
    """The column names that an expression uses, in order, as written."""
    return list(dict.fromkeys(column.name for column in expression.find_all(exp.Column)))


def find_column(name: str, key: str, columns: list[str], file: str) -> str:
    """The file's own spelling of a column: the exact name, else the only one equal but for case.

    Raises:
        InputError: the file has no such column; names key, column, file, the nearest and all existing columns.
    """
    found = same_column(name, columns)
    if found is None:
        nested = " Only in JSON Lines can a dotted name be a field of a nested object." if "." in name else ""
        raise InputError(f"Mapping key {key}: {file} has no column '{name}'.{suggest(name, columns)}{nested}")
    return found


def same_column(name: str, columns: list[str]) -> str | None:
    """The column of that name, else the only one of that name but for case, else None."""
    alike = [column for column in columns if column.casefold() == name.casefold()]
    return name if name in columns else alike[0] if len(alike) == 1 else None


def bind_expression(expression: exp.Expr, key: str, types: dict[str, str], file: str) -> BoundExpression:
    """Resolve an expression against a file's columns (name → DuckDB type).

    Text columns in arithmetic, numeric functions and comparisons with numbers are read as numbers; CAST becomes
    TRY_CAST and strptime try_strptime, so that one bad value costs its row and not the file.

    Raises:
        InputError: a column that the file lacks.
    """
    bound = expression.copy()
    for column in bound.find_all(exp.Column):
        column.set("this", exp.to_identifier(find_column(column.name, key, list(types), file), quoted=True))
    numbers: set[str] = set()
    for operand in _number_operands(bound):
        texts = {column.name for column in operand.find_all(exp.Column) if types[column.name] == "VARCHAR"}
        if texts and isinstance(operand, (exp.Column, exp.Coalesce, exp.Nullif, exp.Case, exp.Replace, exp.Trim)):
            if isinstance(operand, exp.Column):
                numbers |= texts
            operand.replace(exp.Anonymous(this=AS_NUMBER, expressions=[operand.copy()]))
    bound = bound.transform(_tolerant)
    return BoundExpression(bound.sql("duckdb", comments=False), frozenset(numbers))


def quoted(identifier: str) -> str:
    """An identifier as DuckDB SQL."""
    return exp.to_identifier(identifier, quoted=True).sql("duckdb")


def literal(text: str) -> str:
    """A text constant as DuckDB SQL, where no parameter can be bound (inside a view)."""
    return exp.Literal.string(text).sql("duckdb")


def _dotted_as_one(node: exp.Expr) -> exp.Expr:
    parts = node.parts if isinstance(node, (exp.Column, exp.Dot)) else []
    if len(parts) < 2 or not all(isinstance(part, exp.Identifier) for part in parts):
        return node
    return exp.column(exp.to_identifier(".".join(part.name for part in parts), quoted=True))


def _number_operands(expression: exp.Expr) -> list[exp.Expr]:
    """Every operand that its operator needs as a number, outermost last, so that replacing one keeps the others."""
    operands: list[exp.Expr] = []
    for node in expression.find_all(*ARITHMETIC, *NUMBER_FUNCTIONS, *COMPARISONS, exp.Between, exp.In):
        sides = [side for side in node.iter_expressions() if isinstance(side, exp.Expr)]
        if isinstance(node, (*COMPARISONS, exp.Between, exp.In)) and not any(_is_number(side) for side in sides):
            continue
        if any(isinstance(side, exp.Interval) for side in sides):
            continue
        operands += [_without_parens(side) for side in sides]
    return operands[::-1]


def _is_number(node: exp.Expr) -> bool:
    inner = node.this if isinstance(node, exp.Neg) else node
    return isinstance(inner, (exp.Literal, *ARITHMETIC)) and not (isinstance(inner, exp.Literal) and inner.is_string)


def _without_parens(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def _tolerant(node: exp.Expr) -> exp.Expr:
    if type(node) is exp.Cast:
        return exp.TryCast(this=node.this, to=node.args["to"])
    if isinstance(node, exp.StrToTime):
        return exp.Anonymous(this="try_strptime", expressions=[node.this, node.args["format"]])
    return node
