import pytest

from churn_platform import errors
from churn_platform.errors import MOST_NAMES, ChurnError, suggest


def test_a_near_miss_is_suggested_beside_what_exists() -> None:
    assert suggest("hom", ["datasets", "home"]) == " Did you mean 'home'? Existing: datasets, home."


def test_a_name_like_no_other_gets_the_list_only() -> None:
    assert suggest("xyz", ["datasets", "home"]) == " Existing: datasets, home."


def test_of_very_many_names_the_last_are_listed() -> None:
    many = [f"night-{number:04}.csv" for number in range(1000)]
    told = suggest("night-0007.cvs", many)
    assert told.startswith(" Did you mean 'night-0007.csv'? Existing: 800 others, night-0800.csv, ")
    assert told.endswith("night-0999.csv.") and told.count(",") == MOST_NAMES


def test_where_nothing_exists_it_says_so() -> None:
    assert suggest("home", []) == " Existing: none."


@pytest.mark.parametrize(
    ("name", "exit_code"),
    [("UsageError", 2), ("InputError", 2), ("DefinitionError", 2), ("NotEnoughData", 1), ("HomeBusy", 1)],
)
def test_each_error_has_the_exit_code_that_the_interface_promises(name: str, exit_code: int) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, ChurnError)
    assert kind("told").exit_code == exit_code
    assert str(kind("told")) == "told"
