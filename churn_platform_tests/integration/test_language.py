"""A change of [reports] language reaches scores and lists with the next refresh, and nothing but their words."""

import re
from datetime import date

import pandas as pd

from churn_platform.lake.ledger import Ledger
from churn_platform.settings import Home
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import materialise, rows

SCORED = ["churn_scores", "churn_scores_latest", "retention_campaign", "campaign_list", "published"]
SAME = """
SELECT user_id, churn_probability, model_version, definition_version, reason_1_code, reason_2_code, reason_3_code,
    reason_1_contribution, reason_1_actionable, reason_2_actionable, reason_3_actionable, top_actionable_code,
    top_actionable_contribution
FROM churn_scores_latest ORDER BY user_id
"""
TEXTS = "SELECT unnest([reason_1_text, reason_2_text, reason_3_text, top_actionable_text]) AS told FROM churn_scores"


def listed(home: Home) -> pd.DataFrame:
    [file] = home.campaigns.glob("*/campaign_list.csv")
    return pd.read_csv(file)


def test_chinese_reasons_come_with_the_next_refresh_and_change_nothing_else(shop_copy: SmallShop) -> None:
    home = shop_copy.home
    before, registry, english = rows(home.published_file, SAME), home.registry_file.read_bytes(), listed(home)
    definition = home.definition_file.read_text()
    home.definition_file.write_text(f'{definition}\n[reports]\nlanguage = "zh"\n')
    day: date = Ledger(home).days()[-1]
    assert materialise(home, SCORED, day, day).success
    assert rows(home.published_file, SAME) == before
    assert home.registry_file.read_bytes() == registry
    newest = f"{TEXTS} WHERE snapshot_date = (SELECT max(snapshot_date) FROM churn_scores)"
    told = [str(text) for (text,) in rows(home.published_file, f"FROM ({newest}) WHERE told IS NOT NULL")]
    assert len(told) > 3 * len(before), "three each, and a topic for some"
    assert [text for text in told if re.search("[A-Za-z]", text) or "：" not in text] == []
    decided = rows(home.published_file, "SELECT DISTINCT arm, decision_reason FROM retention_campaign")
    assert len(decided) >= 3 and not re.search("[A-Za-z]", "".join(str(reason) for _, reason in decided))
    chinese = listed(home)
    words = ["reason", "suggested_topic"]
    assert chinese.drop(columns=words).equals(english.drop(columns=words))
    assert not chinese["reason"].str.contains("[A-Za-z]").any()
    assert english["reason"].str.contains("[A-Za-z]").all()
    lever = "CASE WHEN top_actionable_contribution >= 0.1 THEN top_actionable_text END"
    topics = dict(rows(home.published_file, f"SELECT user_id, {lever} FROM churn_scores_latest"))
    shown = chinese["suggested_topic"].where(chinese["suggested_topic"].notna(), None)
    assert dict(zip(chinese["user_id"], shown, strict=True)) == {user: topics[user] for user in chinese["user_id"]}


def test_what_can_be_acted_on_speaks_for_churn_and_both_kinds_are_found(small_shop: SmallShop) -> None:
    found = rows(
        small_shop.home.published_file,
        "SELECT count(*) FILTER (reason_1_actionable), count(*) FILTER (NOT reason_1_actionable),"
        " count(*) FILTER (top_actionable_contribution > 0), count(*) FILTER (top_actionable_contribution <= 0),"
        " count(*) FILTER (reason_1_actionable AND reason_1_contribution > 0 AND"
        " (top_actionable_code <> reason_1_code OR top_actionable_text <> reason_1_text)) FROM churn_scores_latest",
    )[0]
    acted_on, not_acted_on, levers, others, unlike_the_first = (int(str(count)) for count in found)
    assert acted_on > 0 and not_acted_on > 0 and levers > 0
    assert (others, unlike_the_first) == (0, 0)
