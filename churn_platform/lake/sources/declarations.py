"""The sections `[source.remote]` and `[source.postgres]` of mapping.toml. Neither holds a secret."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Text = Annotated[str, Field(min_length=1)]
VariableName = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]

PASSWORD_IN_DSN = re.compile(r"password\s*=|://[^/@:]*:[^/@]+@", re.IGNORECASE)


class Remote(BaseModel):
    """How `--source s3://…` and `--source https://…` are reached; credentials stand in environment variables."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: Text | None = Field(
        default=None, description="of an S3-compatible server; default $AWS_ENDPOINT_URL_S3, $AWS_ENDPOINT_URL, or AWS"
    )
    region: Text | None = Field(default=None, description="default: as AWS tools find it")
    access_key_variable: VariableName | None = Field(
        default=None, description="variable with the key id; default: AWS_ACCESS_KEY_ID, profiles and roles as usual"
    )
    secret_key_variable: VariableName | None = Field(default=None, description="variable with the secret key")
    anonymous: bool = Field(default=False, description="a public bucket, read without credentials")
    authorization_variable: VariableName | None = Field(
        default=None, description="variable with the Authorization header for https, such as 'Bearer …'"
    )
    ca_file: Path | None = Field(
        default=None, description="PEM file of the authority to trust, beside the system's own"
    )

    @field_validator("ca_file")
    @classmethod
    def _absolute(cls, file: Path | None) -> Path | None:
        if file is not None and not file.is_absolute():
            raise ValueError(f"'{file}' must be an absolute path: the mapping is copied into the home")
        return file

    @model_validator(mode="after")
    def _keys_in_pairs(self) -> Self:
        if (self.access_key_variable is None) != (self.secret_key_variable is None):
            raise ValueError("give access_key_variable and secret_key_variable together, or neither")
        return self


class Postgres(BaseModel):
    """A table or a query whose rows become Parquet files in landing."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    dsn: str = Field(default="", description="libpq connection string without a password; default: the PG* variables")
    table: Text | None = Field(default=None, description="such as public.order_lines, in the server's own spelling")
    query: Text | None = Field(default=None, description="one SELECT, instead of a table")
    cursor: Text | None = Field(
        default=None, description="column that only grows; with it a pull takes the rows beyond the last one taken"
    )
    batch_rows: int = Field(default=1_000_000, ge=1, description="rows a file, and more only with equal cursor values")
    delay_seconds: int = Field(
        default=0, ge=0, description="for a cursor of times: younger rows wait, as their transactions may still be open"
    )

    @field_validator("dsn")
    @classmethod
    def _without_password(cls, dsn: str) -> str:
        if PASSWORD_IN_DSN.search(dsn):
            raise ValueError("the connection string holds a password: put it into PGPASSWORD or ~/.pgpass instead")
        return dsn

    @model_validator(mode="after")
    def _one_relation(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise ValueError('give one of table = "…" and query = "SELECT …"')
        if self.delay_seconds and self.cursor is None:
            raise ValueError("delay_seconds needs a cursor")
        return self
