"""The contract of a warehouse table: `dbt_like_sql/<stage>/<table>.yml`.

The one source of its columns, types, meanings and units, its grain, and the expectations that gate it.
"""

import re
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import duckdb
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from churn_platform.contracts.row_condition import columns_of_condition
from churn_platform.contracts.yaml_source import YamlSource, read_yaml
from churn_platform.core.reason_words import Language
from churn_platform.errors import DefinitionError, suggest

Severity = Literal["critical", "warning"]
Materialisation = Literal["full", "arrival_day", "snapshot"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Text = Annotated[str, Field(min_length=1)]
Bound = int | float | datetime | date

PARTITION_COLUMNS: dict[str, str] = {"arrival_day": "known_date", "snapshot": "snapshot_date"}
LONGEST_SHOWN = 80
DERIVED_RULE_NAMES = re.compile(
    r"^((not_empty|finite_numbers)$|(unique|not_null|between|one_of|foreign_key|in_partition)__)"
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Translation(_Part):
    """The texts of a column in another language than English."""

    meaning: Text
    reason: Text | None = Field(default=None, description="of a feature")


class Column(_Part):
    """One column; `type` is a DuckDB type in its canonical spelling (INT is read as INTEGER)."""

    name: Name
    type: str
    meaning: Text
    unit: str | None = None
    nullable: bool = True
    unique: bool = Field(default=False, description="a key by itself, over all partitions of the table")
    min: Bound | None = None
    max: Bound | None = None
    one_of: list[bool | int | float | str] | None = Field(default=None, min_length=1)
    references: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$")
    family: str | None = Field(default=None, description="of a feature: the group that it belongs to")
    needs: list[Name] = Field(
        default=[], description="of a feature: the measures of user_days that it is null without, over all customers"
    )
    reason: str | None = Field(default=None, description="of a feature: the sentence that explains a score by it")
    zh: Translation | None = Field(default=None, description="of a feature: meaning and reason in Chinese")

    @field_validator("name")
    @classmethod
    def _usable_unquoted(cls, name: str) -> str:
        if name.casefold() in _words_that_need_quotes():
            raise ValueError(f"'{name}' is a word of SQL that fails unquoted; choose another, such as '{name}_value'")
        return name

    @field_validator("type")
    @classmethod
    def _canonical_type(cls, text: str) -> str:
        try:
            return str(duckdb.sqltype(text))
        except duckdb.Error as error:
            raise ValueError(f"is not a DuckDB type, such as VARCHAR or DECIMAL(18,2): {error}") from error

    @field_validator("min", "max", mode="before")
    @classmethod
    def _comparable(cls, bound: object) -> object:
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, Bound)):
            raise ValueError("must be a number, a date (2024-01-31) or a time (2024-01-31 12:00:00)")
        return bound

    @model_validator(mode="after")
    def _nullable_if_it_needs_a_measure(self) -> Self:
        if self.needs and not self.nullable:
            needed = ", ".join(self.needs)
            raise ValueError(f"needs {needed}, which a source may lack, so it is nullable; remove 'nullable'")
        return self

    @model_validator(mode="after")
    def _reason_in_both_languages(self) -> Self:
        translated = self.zh.reason if self.zh else None
        if (self.reason is None) is not (translated is None):
            there = "English" if self.reason else "Chinese"
            raise ValueError(
                f"{self.name} has its reason in {there} only; a feature tells meaning and reason in English and, as "
                "'zh: {meaning: …, reason: …}', in Chinese"
            )
        if self.reason and translated and ("{value}" in self.reason) is not ("{value}" in translated):
            raise ValueError(f"{self.name} tells its {{value}} in one language only; let both reasons have it, or none")
        return self

    @model_validator(mode="after")
    def _bounds_ascend(self) -> Self:
        if self.min is None or self.max is None:
            return self
        if _kind(self.min) is not _kind(self.max):
            raise ValueError(f"min {self.min!r} and max {self.max!r} must be of one kind")
        if self.min > self.max:  # type: ignore[operator]  # of one kind, as checked above
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self

    def reason_in(self, language: Language) -> str:
        """The reason's text.

        Raises:
            DefinitionError: the column is no feature with a reason.
        """
        text = self.zh.reason if language == "zh" and self.zh else self.reason
        if text is None:
            raise DefinitionError(f"{self.name} has no reason; give it a family, a reason and their Chinese texts.")
        return text

    def meaning_in(self, language: Language) -> str:
        """The meaning; in English where there is no Chinese one, which a feature always has."""
        return self.zh.meaning if language == "zh" and self.zh else self.meaning


class RowRule(_Part):
    """An extra rule. `bad` is a SQL condition over the table's columns that a bad row satisfies; NULL is not bad."""

    name: Name
    bad: Text
    severity: Severity = "critical"

    @field_validator("name")
    @classmethod
    def _own_name(cls, name: str) -> str:
        if DERIVED_RULE_NAMES.match(name):
            raise ValueError("is the name of a rule derived from the columns; choose another")
        return name


class Contract(_Part):
    """The contract of one table. Grain columns and the partition column are never nullable."""

    table: Name
    stage: str
    description: Text
    owner: str = Field(pattern=r"^(team:[A-Za-z0-9_.-]+|[^@\s]+@[^@\s]+)$")
    grain: list[Name] = Field(min_length=1)
    materialisation: Materialisation
    may_be_empty: bool = False
    columns: list[Column] = Field(min_length=1)
    rules: list[RowRule] = []

    @field_validator("columns")
    @classmethod
    def _unique_columns(cls, columns: list[Column]) -> list[Column]:
        _refuse_repeated([column.name for column in columns])
        return columns

    @field_validator("rules")
    @classmethod
    def _rules_over_columns(cls, rules: list[RowRule], info: ValidationInfo) -> list[RowRule]:
        _refuse_repeated([rule.name for rule in rules])
        existing = [column.name for column in info.data.get("columns", [])]
        for rule in rules if existing else []:
            for name in columns_of_condition(rule.name, rule.bad):
                if name.casefold() not in {known.casefold() for known in existing}:
                    raise ValueError(f"rule '{rule.name}' uses the unknown column '{name}'.{suggest(name, existing)}")
        return rules

    @model_validator(mode="after")
    def _keys_exist(self) -> Self:
        _refuse_repeated(self.grain)
        required = [("grain", name) for name in self.grain]
        if self.partition_column:
            required.append((f"materialisation '{self.materialisation}'", self.partition_column))
        for what, name in required:
            if name not in self.column_names:
                raise ValueError(f"{what} needs the column '{name}'.{suggest(name, self.column_names)}")
            if self.column(name).nullable:
                raise ValueError(f"{what} uses the column '{name}', so it cannot be nullable; remove 'nullable: true'")
        for name, (table, key) in self.references.items():
            if table == self.table:
                raise ValueError(f"'{name}' references its own table ({table}.{key}); write a row rule instead")
        return self

    @property
    def column_names(self) -> list[str]:
        """The columns in the order of the contract, which is the order of the published table."""
        return [column.name for column in self.columns]

    @property
    def types(self) -> dict[str, str]:
        """DuckDB type by column."""
        return {column.name: column.type for column in self.columns}

    @property
    def partition_column(self) -> str | None:
        """The date column by which an incremental table is replaced; None for a full table."""
        return PARTITION_COLUMNS.get(self.materialisation)

    @property
    def references(self) -> dict[str, tuple[str, str]]:
        """Foreign keys: column → (referenced table, its column)."""
        return {
            column.name: (column.references.split(".")[0], column.references.split(".")[1])
            for column in self.columns
            if column.references
        }

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            DefinitionError: the contract has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise DefinitionError(f"{self.table} has no column '{name}'.{suggest(name, self.column_names)}")


def load_contract(path: Path) -> Contract:
    """Read one contract; the stage is the folder's name and the table is the file's stem.

    Raises:
        DefinitionError: the file is missing, is not YAML, or breaks the contract's form; one line per problem, each
            with file, line and key, and with the names that exist where a name is unknown.
    """
    source = read_yaml(path)
    for given in ("table", "stage"):
        if given in source.data:
            raise DefinitionError(f"{source.at([given])}: unknown key. The file's name and folder say it; remove it.")
    data = _with_required_keys(source.data) | {"table": path.stem, "stage": path.resolve().parent.name}
    try:
        return Contract.model_validate(data)
    except ValidationError as error:
        raise DefinitionError("\n".join(_problems(error, source))) from error


def _with_required_keys(data: dict[str, Any]) -> dict[str, Any]:
    """Make the grain and the partition column not nullable where the file leaves that open."""
    grain = data.get("grain") if isinstance(data.get("grain"), list) else []
    keys = {*map(str, grain or []), PARTITION_COLUMNS.get(str(data.get("materialisation")), "")}
    columns = data.get("columns")
    if not isinstance(columns, list):
        return data
    return data | {
        "columns": [
            {"nullable": False} | column if isinstance(column, dict) and column.get("name") in keys else column
            for column in columns
        ]
    }


@cache
def _words_that_need_quotes() -> frozenset[str]:
    """Words that cannot name a column without quotes; Great Expectations quotes only some of them."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category IN ('reserved', 'type_function')"
        ).fetchall()
    return frozenset(str(word) for (word,) in rows)


def _kind(bound: Bound) -> type:
    return datetime if isinstance(bound, datetime) else date if isinstance(bound, date) else float


def _refuse_repeated(names: list[str]) -> None:
    folded = [name.casefold() for name in names]
    repeated = sorted({name for name in names if folded.count(name.casefold()) > 1})
    if repeated:
        raise ValueError(f"repeats {', '.join(repeated)}; DuckDB does not tell upper from lower case")


def _problems(error: ValidationError, source: YamlSource) -> list[str]:
    lines: dict[str, str] = {}
    for problem in error.errors():
        where = source.at(problem["loc"])
        name = str(problem["loc"][-1]) if problem["loc"] else "(file)"
        if problem["type"] == "extra_forbidden":
            text = f"unknown key.{suggest(name, _fields_at(problem['loc']))}"
        elif problem["type"] == "missing":
            text = "missing. Add it; it has no default."
        else:
            text = f"{problem['msg'].removeprefix('Value error, ')} (found {_short(problem['input'])})."
        lines.setdefault(where, f"{where}: {text}")
    return list(lines.values())


def _fields_at(location: tuple[int | str, ...]) -> list[str]:
    parts: dict[str, type[_Part]] = {"columns": Column, "rules": RowRule}
    model = parts.get(str(location[0]), Contract) if len(location) > 1 else Contract
    model = Translation if "zh" in location[:-1] else model
    return sorted(name for name in model.model_fields if name not in ("table", "stage"))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
