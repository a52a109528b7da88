"""The list that people are handed: its columns are checked, and its file appears whole or not at all."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from churn_platform.settings import Home

with warnings.catch_warnings():
    # dagster-pandas 0.29 calls PandasColumn beta; drop this when it does not
    warnings.simplefilter("ignore", dg.BetaWarning)
    from churn_platform.orchestration.campaign_files import CampaignFiles, CampaignList

LIST = pd.DataFrame(
    {
        "rank": [1, 2],
        "user_id": ["u1", "u2"],
        "action": ["offer", "offer"],
        "churn_probability": [0.9, 0.5],
        "value_at_risk": [90.0, 50.0],
        "expected_profit": [2.0, 1.0],
        "reason": ["silent for 90 days", "silent for 30 days"],
        "suggested_topic": ["a cart left behind", "goods returned"],
        "list_id": ["20240601-abc", "20240601-abc"],
    }
)


def checked(frame: pd.DataFrame) -> dg.TypeCheck:
    found = CampaignList.type_check(dg.build_op_context(), frame)
    assert isinstance(found, dg.TypeCheck)
    return found


def replaced(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    frame = LIST.copy()
    for name, values in columns.items():
        frame[name] = values
    return frame


def handed_over(frame: pd.DataFrame, home: Home) -> dg.ExecuteInProcessResult:
    @dg.asset(dagster_type=CampaignList, io_manager_key="campaign_files")
    def campaign_list() -> pd.DataFrame:
        return frame

    return dg.materialize(
        [campaign_list], resources={"campaign_files": CampaignFiles(home_folder=str(home.root))}, raise_on_error=False
    )


def file_of(home: Home) -> Path:
    return home.campaigns / "20240601-abc" / "campaign_list.csv"


def test_a_good_list_passes() -> None:
    assert checked(LIST).success


@pytest.mark.parametrize(
    "broken",
    [
        {"rank": [0, 2]},
        {"rank": [1, 1]},
        {"user_id": ["u1", "u1"]},
        {"user_id": ["u1", None]},
        {"action": ["offer", None]},
        {"churn_probability": [1.1, 0.5]},
        {"churn_probability": [-0.1, 0.5]},
        {"value_at_risk": [-1.0, 50.0]},
        {"expected_profit": [2.0, -0.5]},
        {"expected_profit": ["much", "little"]},
        {"reason": ["silent for 90 days", None]},
        {"suggested_topic": [1.0, 2.0]},
        {"list_id": [None, None]},
    ],
    ids=lambda broken: "-".join(f"{name}:{values}" for name, values in broken.items()),
)
def test_each_column_is_checked(broken: Mapping[str, list[Any]]) -> None:
    assert not checked(replaced(broken)).success


@pytest.mark.parametrize("column", list(LIST.columns))
def test_no_column_may_be_missing(column: str) -> None:
    assert not checked(LIST.drop(columns=column)).success


def test_a_list_becomes_a_file_of_its_own(home: Home) -> None:
    assert handed_over(LIST, home).success
    pd.testing.assert_frame_equal(pd.read_csv(file_of(home)), LIST)
    assert [path.name for path in file_of(home).parent.iterdir()] == ["campaign_list.csv"]


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_that_a_spreadsheet_would_run_is_made_inert(begins: str, home: Home) -> None:
    formula = f"{begins}HYPERLINK(A1)"
    assert handed_over(replaced({"user_id": [formula, "a=b"], "reason": [formula, "spent 3"]}), home).success
    written = pd.read_csv(file_of(home))
    assert written["user_id"].to_list() == [f"'{formula}", "a=b"]
    assert written["reason"].to_list() == [f"'{formula}", "spent 3"]


@pytest.mark.parametrize("topics", [[None, None], ["客服", None]])
def test_a_customer_may_have_no_topic(topics: list[str | None], home: Home) -> None:
    assert handed_over(replaced({"suggested_topic": topics}), home).success
    assert pd.read_csv(file_of(home))["suggested_topic"].isna().to_list() == [topic is None for topic in topics]


@pytest.mark.parametrize(("reason", "marked"), [("silent for 9 days", False), ("已沉默 9 天", True)])
def test_excel_is_told_of_utf_8_where_a_list_is_not_plain_ascii(reason: str, marked: bool, home: Home) -> None:
    assert handed_over(LIST.assign(reason=reason), home).success
    assert file_of(home).read_bytes().startswith(b"\xef\xbb\xbf") is marked
    read = pd.read_csv(file_of(home))
    assert (read.columns[0], read["reason"][0]) == ("rank", reason)


def test_a_broken_list_is_not_handed_over_and_the_one_before_stays(home: Home) -> None:
    handed_over(LIST, home)
    before = file_of(home).read_bytes()
    assert not handed_over(LIST.assign(expected_profit=[2.0, -0.5]), home).success
    assert file_of(home).read_bytes() == before


def test_a_kill_while_the_file_is_written_leaves_the_one_before(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    handed_over(LIST, home)
    before = file_of(home).read_bytes()

    def interrupted(self: pd.DataFrame, path: Path, **_: object) -> None:
        path.write_text("rank,user_", encoding="utf-8")
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(pd.DataFrame, "to_csv", interrupted)
        assert not handed_over(LIST, home).success
    assert file_of(home).read_bytes() == before
    assert handed_over(LIST.head(1), home).success
    assert len(pd.read_csv(file_of(home))) == 1


def test_a_list_of_nobody_is_no_file(home: Home) -> None:
    assert handed_over(LIST.head(0), home).success
    assert list(home.campaigns.iterdir()) == []
