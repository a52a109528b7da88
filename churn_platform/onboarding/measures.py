"""Which columns are quantity, unit price and amount: by their headers, and by whether one is the others' product."""

import re
from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from itertools import permutations
from math import sqrt
from typing import Final

import duckdb
import polars as pl

from churn_platform.lake.expressions import quoted
from churn_platform.onboarding.choices import LEAST, NAMED, Choice, confidence_of, plain, told_by
from churn_platform.onboarding.profile import ColumnProfile, KeyFacts, Profile
from churn_platform.onboarding.vocabulary import is_part_of_money

COMPARED: Final = 6  # number columns whose products are looked at
ROWS_COMPARED: Final = 5000
PRODUCT_HOLDS: Final = 0.9
CENT: Final = 0.0101
GROWS_TOGETHER: Final = 0.3
ROLES: Final = ("quantity", "unit_price", "amount")


def find_measures(connection: duckdb.DuckDBPyConnection, profile: Profile, taken: Sequence[str]) -> dict[str, Choice]:
    """Quantity, unit price and amount, as far as there are any.

    A price without a quantity is what was paid, so it is the amount. An amount that the files lack is the product.

    Args:
        connection: that of `profile_of`, with the sample and the macros that read its numbers.
        taken: columns that are something else.
    """
    numbers = [column for column in profile.columns.values() if column.is_number and column.name not in taken]
    numbers = [column for column in numbers if _may_be_measure(column)]
    named: dict[str, Choice] = {}
    for role in ROLES:
        used = [choice.columns[0] for choice in named.values()]
        if choice := _by_name(role, [column for column in numbers if column.name not in used]):
            named[role] = choice
    found = _by_product(connection, numbers) or named
    if "unit_price" not in found and "amount" not in found and (choice := _only_fraction(connection, numbers, found)):
        found[choice.role] = choice
    return _completed(found)


def line_amount(
    connection: duckdb.DuckDBPyConnection, found: MappingType[str, Choice], facts: MappingType[str, KeyFacts]
) -> Choice | None:
    """Quantity times unit price, where the named amount is that of the whole order and not of the line; else None.

    Args:
        connection: that of `profile_of`.
        found: choices, among them the order.
        facts: of the key columns.
    """
    order, amount = found.get("order_id"), found.get("amount")
    if order is None or amount is None or not amount.columns or not {"quantity", "unit_price"} <= found.keys():
        return None
    if facts[order.columns[0]].repeats < PRODUCT_HOLDS / 10:
        return None
    quantity, price, total = (quoted(found[role].columns[0]) for role in ROLES)
    product = f"as_double({quantity}) * as_double({price})"
    orders = (
        f"SELECT min({product}) AS line, max(as_double({total})) AS total, count(DISTINCT {total}) AS totals "
        f"FROM sample GROUP BY {quoted(order.columns[0])} HAVING count(*) > 1"
    )
    ((off, whole),) = connection.execute(
        f"SELECT avg(CAST(abs(line - total) > ? AS INT)), avg(CAST(totals = 1 AS INT)) FROM ({orders})", [CENT]
    ).fetchall()
    if off is None or off < PRODUCT_HOLDS or whole < PRODUCT_HOLDS:
        return None
    expression = f"{found['quantity'].expression} * {found['unit_price'].expression}"
    told = f"quantity times unit price; '{amount.columns[0]}' is that of the whole order"
    return Choice("amount", expression, (), min(found["quantity"].confidence, found["unit_price"].confidence), told)


def _may_be_measure(column: ColumnProfile) -> bool:
    """Named as one of them and not as a part of it such as tax, or not named at all."""
    if is_part_of_money(column.name):
        return False
    best = max(column.name_scores, key=lambda role: column.name_scores[role], default=None)
    return best is None or best in ROLES or column.name_scores[best] < NAMED


def _by_name(role: str, numbers: Sequence[ColumnProfile]) -> Choice | None:
    named = [column for column in numbers if column.name_scores.get(role, 0.0) >= NAMED]
    if not named:
        return None
    best = max(named, key=lambda column: _confidence(role, column))
    what = "whole numbers" if best.whole == 1 else "numbers"
    signs = f", {best.negative:.1%} of them negative" if best.negative else ""
    evidence = f"{told_by(best.name_scores[role], best.name)}; {best.numeric:.0%} of its values are {what}{signs}"
    return Choice(role, plain(best.name), (best.name,), _confidence(role, best), evidence)


def _confidence(role: str, column: ColumnProfile) -> float:
    fits = (0.5 + 0.5 * column.whole) if role == "quantity" else 1.0
    return confidence_of(column.name_scores.get(role, 0.0), column.numeric * sqrt(column.filled) * fits)


def _by_product(connection: duckdb.DuckDBPyConnection, numbers: Sequence[ColumnProfile]) -> dict[str, Choice]:
    """Three columns of which one is the product of the others in nine of ten records."""
    candidates = [column for column in numbers if column.distinct > 2 or column.name_scores][:COMPARED]
    read = {column.name: _numbers(connection, column.name) for column in candidates}
    best: tuple[float, dict[str, Choice]] = (0.0, {})
    for quantity, price, amount in permutations(candidates, 3):
        if quantity.whole < PRODUCT_HOLDS or amount.distinct <= 2 or quantity.distinct < 2 or price.distinct < 2:
            continue
        product = read[quantity.name] * read[price.name]
        holds = ((product - read[amount.name]).abs() <= CENT).mean()
        share = float(holds) if isinstance(holds, float) else 0.0
        named = sum(
            column.name_scores.get(role, 0.0) for role, column in zip(ROLES, (quantity, price, amount), strict=True)
        )
        if share >= PRODUCT_HOLDS and share + named > best[0]:
            evidence = f"{quantity.name} × {price.name} = {amount.name} in {share:.0%} of the records"
            columns = zip(ROLES, (quantity, price, amount), strict=True)
            best = (
                share + named,
                {role: Choice(role, plain(c.name), (c.name,), 0.9 + 0.09 * share, evidence) for role, c in columns},
            )
    return best[1]


def _numbers(connection: duckdb.DuckDBPyConnection, name: str) -> pl.Series:
    return connection.sql(f"SELECT as_double({quoted(name)}) AS number FROM sample LIMIT {ROWS_COMPARED}").pl()[
        "number"
    ]


def _only_fraction(
    connection: duckdb.DuckDBPyConnection, numbers: Sequence[ColumnProfile], found: MappingType[str, Choice]
) -> Choice | None:
    """The one column of numbers with two decimals is money, whatever its header says.

    Beside a quantity it is the amount if it grows with the quantity, else the unit price.
    """
    fractions = [column for column in numbers if column.whole < PRODUCT_HOLDS and _in_cents(column)]
    if len(fractions) != 1:
        return None
    [column] = fractions
    role, told = "amount", "no word in the header says so; the only column of numbers with two decimals"
    if "quantity" in found:
        quantity = _numbers(connection, found["quantity"].columns[0])
        pairs = pl.DataFrame(
            {"quantity": quantity.abs(), "money": _numbers(connection, column.name).abs()}
        ).drop_nulls()
        together = float(pairs.select(pl.corr("quantity", "money", method="spearman").fill_nan(0.0)).item() or 0.0)
        role = "amount" if together >= GROWS_TOGETHER else "unit_price"
        told += f", rank correlation with the quantity {together:.2f}"
    return Choice(role, plain(column.name), (column.name,), confidence_of(0.0, column.numeric), told)


def _in_cents(column: ColumnProfile) -> bool:
    fractions = [re.split(r"[.,]", value)[-1] for value, _ in column.values[:200] if re.search(r"[.,]", value)]
    return all(len(re.findall(r"\d", fraction)) <= 2 for fraction in fractions)


def _completed(found: dict[str, Choice]) -> dict[str, Choice]:
    found = {role: choice for role, choice in found.items() if choice.confidence >= LEAST}
    quantity, price = found.get("quantity"), found.get("unit_price")
    if "amount" in found or price is None:
        return found
    if quantity is None:
        evidence = f"{price.evidence}; without a quantity it is what was paid"
        return {"amount": Choice("amount", price.expression, price.columns, price.confidence, evidence)}
    confidence = min(quantity.confidence, price.confidence)
    product = f"{quantity.expression} * {price.expression}"
    amount = Choice("amount", product, (), confidence, "no column holds it; quantity times unit price")
    return found | {"amount": amount}
