"""The page of the segments, as text; churn_platform_tests/browser opens it in Chromium."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from churn_platform.reports.segments import NO_PURCHASE_YET, PAGE, SegmentReport, render, write_report

MOVES = {"compared_with": pl.Date, "from_segment": pl.String, "to_segment": pl.String, "customers": pl.Int64}


def report(moves: list[tuple[str, str, int]]) -> SegmentReport:
    before = date(2025, 7, 31)
    return SegmentReport(
        source="tiny",
        snapshot=date(2025, 8, 1),
        sizes=pl.DataFrame(
            {"segment": ["loyal", "<silent>"], "description": ["often here", "away"], "customers": [1500, 500]}
        ),
        traits=pl.DataFrame(
            {
                "segment": ["loyal", "<silent>"],
                "trait": ["orders_365d", "orders_365d"],
                "typical_value": [9.0, 0.5],
                "standing": ["high", "low"],
                "fitted_on": [date(2025, 7, 1)] * 2,
            }
        ),
        moves=pl.DataFrame([(before, *move) for move in moves], schema=MOVES, orient="row"),
        made_at=datetime(2025, 8, 1, 5, 30, tzinfo=UTC),
    )


def test_every_segment_is_a_row_with_its_share_and_what_is_typical() -> None:
    page = render(report([]))
    assert page.count("<tr data-segment=") == 2
    for told in ("often here", "1,500", "75.0 %", "25.0 %", "&lt;silent&gt;", "0.5", "2025-07-01"):
        assert told in page, told
    assert "<silent>" not in page


def test_movers_are_listed_and_their_share_is_of_those_known_before(tmp_path: Path) -> None:
    moves = [
        ("loyal", "loyal", 1400),
        ("loyal", "<silent>", 100),
        ("<silent>", "<silent>", 400),
        (NO_PURCHASE_YET, "loyal", 100),
    ]
    page = write_report(report(moves), tmp_path).read_text()
    assert (tmp_path / PAGE).exists()
    assert "Since 2025-07-31, 5.3 % of the customers" in page
    assert "no purchase yet" in page
    assert page.count("<td>loyal</td>") == 1


def test_without_an_earlier_snapshot_the_page_says_so() -> None:
    assert "no earlier snapshot" in render(report([]))


def test_where_nobody_moved_the_page_says_so() -> None:
    assert "Nobody." in render(report([("loyal", "loyal", 1500)]))


def test_before_the_first_purchase_there_is_no_segment_and_the_page_still_opens() -> None:
    empty = report([])
    nobody = SegmentReport(
        empty.source, empty.snapshot, empty.sizes.clear(), empty.traits.clear(), empty.moves, empty.made_at
    )
    assert "Nobody has bought yet" in render(nobody)
