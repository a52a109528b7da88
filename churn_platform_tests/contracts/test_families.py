from pathlib import Path

import pytest

from churn_platform.contracts.families import read_families
from churn_platform.errors import DefinitionError

FAMILIES = """\
support: {zh: 客服, actionable: true, why: a complaint can be solved}
tenure: {zh: 客户年限, actionable: false, why: nobody becomes a customer earlier}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "families.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_family_has_a_name_in_both_languages_and_says_whether_a_shop_can_act_on_it(tmp_path: Path) -> None:
    families = read_families(write(tmp_path, FAMILIES))
    assert {code: family.actionable for code, family in families.items()} == {"support": True, "tenure": False}
    assert families["support"].name_in("support", "zh") == "客服"
    assert families["support"].name_in("support", "en") == "support"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("zh: 客服, ", "", r"line 1, support\.zh: Field required"),
        (", actionable: false", "", r"line 2, tenure\.actionable: Field required.*A family has: zh, actionable, why"),
        ("actionable: true", "actionable: perhaps", r"line 1, support\.actionable: .*boolean"),
        (", why: nobody becomes a customer earlier", "", r"line 2, tenure\.why: Field required"),
        ("zh: 客服", "de: Dienst, zh: 客服", r"line 1, support\.de: Extra inputs"),
        ("{zh: 客服, actionable: true, why: a complaint can be solved}", "客服", r"line 1, support: .*Family"),
    ],
)
def test_a_family_that_is_not_whole_is_refused_at_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in FAMILIES
    with pytest.raises(DefinitionError, match=f"(?s)families.yml, {message}"):
        read_families(write(tmp_path, FAMILIES.replace(old, new)))
