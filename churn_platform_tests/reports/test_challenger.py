"""The page on the challenger, as text."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from churn_platform.core.challenger import OUTCOME_COLUMNS
from churn_platform.reports.challenger import ChallengerReport, write_report
from churn_platform.reports.words import words

TODAY, THEN = date(2025, 7, 1), date(2025, 3, 1)


def row(snapshot: date, *, matured: bool) -> dict[str, object]:
    return {
        "snapshot_date": snapshot,
        "challenger_version": "new456",
        "champion_version": "old123",
        "customers": 1234,
        "rank_correlation": 0.912,
        "band_change_share": 0.155,
        "risk_overlap": 0.8,
        "campaign_overlap": None,
        "mean_difference": -0.0123,
        "matured": matured,
        **dict.fromkeys(OUTCOME_COLUMNS, 0.321 if matured else None),
    }


REPORT = ChallengerReport(
    source="tiny <shop>",
    snapshot=TODAY,
    challenger="new456",
    why="",
    comparison=pl.DataFrame([row(TODAY, matured=False), row(THEN, matured=True)], infer_schema_length=None),
    moves=pl.DataFrame({"champion_band": ["low", "low"], "challenger_band": ["low", "high"], "customers": [1000, 77]}),
    capacity=500,
    made_at=datetime(2025, 7, 1, 5, tzinfo=UTC),
)


def page(report: ChallengerReport, folder: Path) -> str:
    return write_report(report, folder, "en").read_text()


def test_it_says_what_would_change_and_who_was_right(tmp_path: Path) -> None:
    told = page(REPORT, tmp_path)
    assert words("en")["challenger_scores"] in told
    for figure in ("old123", "new456", "0.912", "15.5 %", "500 customers at the highest risk", "80.0 %", "-0.0123",
                   ">77<", ">1,000<", "+0.321 [+0.321, +0.321]", "32.1 %", "churn promote new456",
                   "tiny &lt;shop&gt;"):  # fmt: skip
        assert figure in told, figure
    assert told.count("2025-03-01") == 2, "among those matured, and in the history"
    assert "unknown" in told


def test_without_a_challenger_it_says_so(tmp_path: Path) -> None:
    none = replace(REPORT, challenger=None, comparison=REPORT.comparison.clear(), moves=REPORT.moves.clear())
    told = page(none, tmp_path)
    assert words("en")["challenger_none"] in told
    assert words("en")["nothing_matured"] in told and words("en")["no_shadow"] in told
    assert "churn promote" not in told and words("en")["would_change"] not in told


def test_one_that_cannot_score_is_told_with_the_reason(tmp_path: Path) -> None:
    told = page(replace(REPORT, why="boosted_0.ubj has changed", comparison=REPORT.comparison.tail(1)), tmp_path)
    assert words("en")["challenger_cannot_score"] in told and "new456: boosted_0.ubj has changed" in told
    assert words("en")["would_change"] not in told


def test_in_chinese_it_is_chinese(tmp_path: Path) -> None:
    told = write_report(REPORT, tmp_path, "zh").read_text()
    assert "谁更准" in told and '<html lang="zh-CN">' in told
    for key in ("challenger_lead", "matured_text", "would_change"):
        assert words("en")[key] not in told
