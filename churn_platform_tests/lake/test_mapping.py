"""mapping.toml: what it must hold, and errors that name the key."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from churn_platform.errors import InputError
from churn_platform.lake.expressions import parse_expression
from churn_platform.lake.mapping import Mapping, read_mapping
from churn_platform.settings import REPOSITORY

Write = Callable[[str, str], Path]
GOOD = """
[source]
name = "shop"
[columns]
user_id = '"Customer ID"'
event_time = "InvoiceDate"
[[event_type]]
when = "Invoice LIKE 'C%'"
then = "return"
[[event_type]]
then = "purchase"
[properties]
country = "Country"
"""


def test_a_mapping_reads_with_its_defaults(write: Write) -> None:
    mapping = read_mapping(write("mapping.toml", GOOD))
    assert (mapping.source.timezone, mapping.source.max_rejected_share) == ("UTC", 0.05)
    assert list(mapping.expressions()) == [
        "columns.user_id", "columns.event_time", "event_type[1].when", "properties.country",
    ]  # fmt: skip


def test_the_hash_follows_the_meaning_and_not_the_layout(write: Write) -> None:
    one = read_mapping(write("a.toml", GOOD)).hash
    assert read_mapping(write("b.toml", "# a comment\n" + GOOD)).hash == one
    assert read_mapping(write("c.toml", GOOD.replace("'C%'", "'D%'"))).hash != one


@pytest.mark.parametrize(
    ("change", "to", "parts"),
    [
        ('name = "shop"', 'nome = "shop"', ["source.nome", "Did you mean 'name'?"]),
        ('name = "shop"', 'name = "shop"\ntimezone = "Mars/Base"', ["Mars/Base", "Europe/London"]),
        ('event_time = "InvoiceDate"', "", ["columns.event_time is missing"]),
        ('event_time = "InvoiceDate"', 'event_time = "d"\nquantty = "q"', ["columns.quantty", "'quantity'"]),
        ("[properties]", '[columns.x]\n[properties]', ["columns.x"]),
        ('then = "purchase"', 'then = "purchase"\n[[event_type]]\nthen = "view"', ["rule 2", "never hold"]),
        ('event_time = "InvoiceDate"', 'event_time = "d"\nevent_type = "t"', ["event type once"]),
        ('event_time = "InvoiceDate"', 'event_time = "d"\nproperties = "t"', ["properties once"]),
        ("Invoice LIKE 'C%'", "read_text('x')", ["event_type[1].when", "READ_TEXT", "not allowed"]),
        ('country = "Country"', 'country = "getenv(\'HOME\')"', ["properties.country", "not allowed"]),
        ("[source]", "[source", ["not valid TOML"]),
        ("[properties]", '[join]\nfiles = "o*"\n[properties]', ["join.on", "required"]),
        ("[properties]", '[join]\nfile = "o*"\non = { a = "b" }\n[properties]', ["join.file", "Did you mean 'files'?"]),
        ('name = "shop"', 'name = "shop"\ndecimal = ";"', ["source.decimal", "';'"]),
        ("[properties]", '[values.user_idd]\na = "b"\n[properties]', ["values.user_idd", "Did you mean 'user_id'?"]),
    ],
)  # fmt: skip
def test_a_wrong_mapping_is_named(write: Write, change: str, to: str, parts: list[str]) -> None:
    assert change in GOOD
    with pytest.raises(InputError) as raised:
        read_mapping(write("mapping.toml", GOOD.replace(change, to)))
    for part in parts:
        assert part in str(raised.value)


def test_a_missing_mapping_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="datasets holds two examples"):
        read_mapping(tmp_path / "mapping.toml")


def test_the_sections_that_the_readme_shows_make_a_mapping(write: Write) -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    mapping = read_mapping(write("mapping.toml", "\n".join(re.findall(r"```toml\n(.*?)```", readme, re.DOTALL))))
    assert mapping.source.postgres is not None
    assert mapping.source.postgres.cursor == "line_id"
    assert mapping.source.remote.authorization_variable == "SHOP_EXPORT"


def test_every_section_that_the_page_on_mappings_shows_is_one() -> None:
    page = (REPOSITORY / "docs" / "mapping.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= 5
    for block in blocks:
        shown = tomllib.loads(block)
        columns = {"user_id": "u", "event_time": "t"} | shown.get("columns", {})
        if "event_type" not in shown:
            columns["event_type"] = "kind"
        mapping = Mapping.model_validate(
            shown | {"source": {"name": "s"} | shown.get("source", {}), "columns": columns}
        )
        for key, text in mapping.expressions().items():
            parse_expression(text, key)


@pytest.mark.parametrize(
    ("section", "parts"),
    [
        ('[source.postgres]\ntable = "t"\ncrsor = "id"', ["source.postgres.crsor", "Did you mean 'cursor'?", "dsn"]),
        ('[source.remote]\nend_point = "x"', ["source.remote.end_point", "Did you mean 'endpoint'?"]),
        ('[source.postgres]\ntable = "t"\ndsn = "password=hunter2"', ["source.postgres.dsn", "PGPASSWORD"]),
        ('[source.remote]\nsecret_key_variable = "AK IA"', ["source.remote.secret_key_variable"]),
    ],
)
def test_a_wrong_key_of_a_section_is_named_with_its_neighbours(write: Write, section: str, parts: list[str]) -> None:
    with pytest.raises(InputError) as raised:
        read_mapping(write("mapping.toml", GOOD.replace("[columns]", f"{section}\n[columns]")))
    for part in parts:
        assert part in str(raised.value)
    assert "hunter2" not in str(raised.value)
