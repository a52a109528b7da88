"""Whatever a user's columns are called, what is written reads back."""

import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st

from churn_platform.lake.expressions import column_names, parse_expression
from churn_platform.onboarding.choices import plain
from churn_platform.onboarding.toml_text import comment, toml_key, toml_string

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
names = texts.filter(lambda name: name.strip() != "" and "\0" not in name)


@settings(deadline=None)
@given(texts)
def test_strings_keys_and_comments_read_back(text: str) -> None:
    written = "\n".join([*comment(text), f"{toml_key(text)} = {toml_string(text)}", ""])
    assert tomllib.loads(written) == {text: text}


@settings(deadline=None)
@given(
    names | st.sampled_from(["order", "Date", "when", "customer.id", "1st", 'a"b', "x y", "NULL", "true", "1", "'a'"])
)
def test_a_column_as_an_expression_is_that_column(name: str) -> None:
    assert column_names(parse_expression(plain(name), "columns.user_id")) == [name]
