"""`churn compare` on a finished home: what another churn.toml would change."""

import re
from pathlib import Path

import polars as pl
import pytest

from churn_platform.definition_report import FILE, compare_with
from churn_platform.errors import UsageError
from churn_platform.reports.definition_comparison import PAGE
from churn_platform.settings import Home
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import churn, rows


def test_another_definition_is_compared_and_the_home_stays(shop_copy: SmallShop, tmp_path: Path) -> None:
    home = shop_copy.home
    other = tmp_path / "other.toml"
    other.write_text(shop_copy.definition.read_text().replace("[churn]", '[churn]\nactivity = ["purchase", "view"]'))
    labels = "SELECT snapshot_date, user_id, churned FROM churn_labels ORDER BY ALL"
    before = rows(home.warehouse_file, labels)
    ended = churn("compare", other, home=home.root)
    assert ended.code == 0, ended.output
    assert "purchase, view" in ended.output and "get another label" in ended.output
    assert rows(home.warehouse_file, labels) == before
    changed = pl.read_parquet(home.reports / FILE)
    of_labels = {(day, user): "churned" if gone else "stayed" for day, user, gone in before}
    known = changed.filter(pl.col("current") != "not eligible")
    assert known.height > 0
    for day, user, current, _ in known.rows():
        assert of_labels[day, user] == current
    # with another activity beside, nobody who stayed is gone
    assert not changed.filter(current="stayed", other="churned").height
    assert changed.filter(current="churned", other="stayed").height > 0
    assert (home.reports / PAGE).read_text().count('class="number changed"') == 6


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[churn]", "[churn]\nlead_days = 0", "definition in force"),
        ("[churn]", "[churn]\nactivity = ['purchas']", "no event of the type 'purchas'. Did you mean 'purchase'?"),
        ("horizon_days", "horizon_dys", "horizon_dys"),
        ("[churn]", "timezone = 'Asia/Shanghai'\n[churn]", "time zone Asia/Shanghai"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    shop_copy: SmallShop, tmp_path: Path, old: str, new: str, told: str
) -> None:
    other = tmp_path / "other.toml"
    other.write_text(shop_copy.definition.read_text().replace(old, new))
    with pytest.raises(UsageError, match=re.escape(told)):
        compare_with(shop_copy.home, other)
    assert not (shop_copy.home.reports / FILE).exists()


def test_a_home_in_which_nothing_was_built_is_told_what_to_run(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("")
    with pytest.raises(UsageError, match="Nothing has been built"):
        compare_with(Home(tmp_path / "home"), other)
