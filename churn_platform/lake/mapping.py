"""`mapping.toml`: how the columns of a user's files become the canonical event."""

import fnmatch
import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from churn_platform.errors import InputError, suggest
from churn_platform.lake.expressions import column_names, parse_expression
from churn_platform.lake.source_file import Kind
from churn_platform.lake.sources.declarations import Postgres, Remote
from churn_platform.lake.text_encoding import known_encoding
from churn_platform.settings import Share, explain

MAPPABLE = (
    "event_id", "user_id", "event_time", "event_type", "item_id", "category", "quantity", "unit_price", "amount",
    "currency", "order_id", "session_id", "channel", "text", "properties",
)  # fmt: skip
REQUIRED = ("user_id", "event_time")
NOT_TEXT = ("event_time", "quantity", "unit_price", "amount", "properties")
EPOCH_FORMATS = ("epoch_s", "epoch_ms")
EXCEL_SERIAL = "excel_serial"
KNOWN_TYPES = (
    "view", "search", "add_to_cart", "remove_from_cart", "purchase", "return", "adjustment", "signup", "login",
    "support_contact", "review", "campaign_exposure", "campaign_response", "consent_change",
)  # fmt: skip

Decimal = Literal[".", ","]
Name = Annotated[str, Field(min_length=1)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Character = Annotated[str, Field(min_length=1, max_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Section):
    """Where the files come from and how their text is written."""

    name: Name = Field(description="goes to events.source; a home accepts one source name only")
    format: Kind | None = Field(default=None, description="default: by the file's ending")
    timezone: str = Field(default="UTC", description="zone of event times that carry no offset")
    time_format: str | None = Field(
        default=None, description="strptime format, epoch_s, epoch_ms or excel_serial; default ISO 8601"
    )
    decimal: Decimal = Field(default=".", description="the decimal mark of numbers that are written as text")
    max_rejected_share: Share = Field(default=0.05, description="above this share nothing of a file lands")
    delimiter: Character | None = Field(default=None, description="CSV; default: the most frequent one in the header")
    quote: Character | None = Field(default=None, description="CSV; default: detected, \" or '")
    escape: Character | None = Field(
        default=None, description="CSV: what makes a quote inside quotes literal; default: detected, the quote or \\"
    )
    encoding: str | None = Field(default=None, description="of text files; default: detected")
    sheet: Name | None = Field(default=None, description="Excel; default: the only sheet, or the first")
    unnest: Name | None = Field(default=None, description="JSON Lines: the array whose elements become records")
    remote: Remote = Field(default=Remote(), description="how s3:// and https:// sources are reached")
    postgres: Postgres | None = Field(default=None, description="the table or query behind --source postgres")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"'{name}' is not a time zone of the IANA database, such as 'Europe/London'") from error
        return name

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str | None) -> str | None:
        return None if name is None else known_encoding(name)


class TypeRule(_Section):
    """One rule for the event type; without `when` it always holds."""

    when: str | None = None
    then: Name


class Join(_Section):
    """Files that hold no events but columns for the lines of the others, such as order headers."""

    files: Name = Field(description="pattern of their names, such as orders*.csv")
    on: dict[Name, Name] = Field(min_length=1, description="column of the lines = column of these files")


class Mapping(_Section):
    """One source's mapping. Every expression has been parsed and allow-listed; columns are checked per file.

    `values`: by canonical column, the source's own words for a value and ours.
    """

    source: Source
    columns: dict[str, str]
    event_type: list[TypeRule] = []
    properties: dict[str, str] = {}
    values: dict[str, dict[Text, Text]] = {}
    join: Join | None = None

    @model_validator(mode="after")
    def _values_of_mapped_texts(self) -> Self:
        texts = [column for column in self.columns if column in MAPPABLE and column not in NOT_TEXT]
        for column in self.values:
            if column == "event_type" and self.event_type:
                raise ValueError(
                    "values.event_type: the rules under [[event_type]] say the value themselves, in their 'then'"
                )
            if column not in texts:
                raise ValueError(f"values.{column}: not a text column of [columns].{suggest(column, texts)}")
        return self

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for column in self.columns:
            if column not in MAPPABLE:
                raise ValueError(f"columns.{column}: not a canonical column.{suggest(column, [*MAPPABLE])}")
        for column in REQUIRED:
            if column not in self.columns:
                raise ValueError(f'columns.{column} is missing: write {column} = "<your column>" under [columns]')
        if ("event_type" in self.columns) == bool(self.event_type):
            raise ValueError("give the event type once: columns.event_type, or rules as [[event_type]] when/then")
        if self.properties and "properties" in self.columns:
            raise ValueError("give the properties once: columns.properties, or names under [properties]")
        for position, rule in enumerate(self.event_type, start=1):
            if rule.when is None and position < len(self.event_type):
                raise ValueError(f"event_type rule {position} has no 'when', so the rules after it never hold")
        return self

    def expressions(self) -> dict[str, str]:
        """Every expression by its mapping key."""
        columns = {f"columns.{column}": text for column, text in self.columns.items()}
        rules = {
            f"event_type[{number}].when": rule.when
            for number, rule in enumerate(self.event_type, start=1)
            if rule.when is not None
        }
        return columns | rules | {f"properties.{name}": text for name, text in self.properties.items()}

    def holds_headers(self, file: str) -> bool:
        """Whether a file of this name holds headers; a name that landing/ made unique still counts."""
        names = (file, re.sub(r"-[0-9a-f]{16}(?=\.|$)", "", file))
        return self.join is not None and any(fnmatch.fnmatch(name, self.join.files) for name in names)

    @property
    def hash(self) -> str:
        """Identifies what the mapping says, whatever its layout."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:16]


def read_mapping(path: Path) -> Mapping:
    """Read `mapping.toml` and check all of it that needs no file.

    Raises:
        InputError: missing, not TOML, an unknown or missing key, or an expression that is not allowed.
    """
    if not path.is_file():
        raise InputError(
            f"{path} does not exist. Name an existing one with --mapping; churn_platform/datasets holds two examples."
        )
    try:
        mapping = Mapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        raise InputError(f"{path} is not a mapping.\n{explain(error, Mapping)}") from error
    for key, text in mapping.expressions().items():
        parsed = parse_expression(text, f"{key} ({path.name})")
        if key == "columns.event_id":
            _check_one_id_an_element(mapping.source.unnest, column_names(parsed), path)
    return mapping


def _check_one_id_an_element(unnest: str | None, columns: list[str], path: Path) -> None:
    if unnest is not None and not any(f"{column}.".startswith(f"{unnest}.") for column in columns):
        raise InputError(
            f"Mapping key columns.event_id ({path.name}): it names no field of an element of '{unnest}', so all "
            "records of a line would have one id and count as copies of one event. Name such a field in it "
            f'("{unnest}.line_id"), or leave the key out: then an id is made of the event and its place in the array.'
        )
