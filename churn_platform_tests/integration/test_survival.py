"""The survival view of a whole home: in step with the scores and, where the history is short, silent with a reason."""

from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from churn_platform.reports.survival import PAGE
from churn_platform.settings import Home
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import SIMULATED_MAPPING, churn, rows

pytestmark = pytest.mark.lifecycle


def test_the_forecast_carries_the_scores_on(small_shop: SmallShop) -> None:
    told = rows(
        small_shop.home.published_file,
        "SELECT count(*), count(survival_forecast.user_id), max(abs(1 - churn_probability - active_0d)),"
        " count(active_30d), bool_and(active_30d <= active_0d AND coalesce(active_60d <= active_30d, TRUE))"
        " FROM churn_scores_latest LEFT JOIN survival_forecast USING (snapshot_date, user_id)",
    )
    scored, forecast, distance, known, never_rises = told[0]
    assert scored == forecast == known
    assert float(str(distance)) < 1e-12 and never_rises is True
    assert 'data-chart="survival_curves"' in (small_shop.home.reports / PAGE).read_text()


def test_the_churn_dates_are_those_of_the_labels(small_shop: SmallShop) -> None:
    told = rows(
        small_shop.home.warehouse_file,
        "SELECT count(*) > 0, bool_and(churned = coalesce(churned_on = window_start, FALSE))"
        " FROM churn_labels FULL JOIN churn_dates USING (snapshot_date, user_id)",
    )
    assert told == [(True, True)]


def test_the_view_was_tested_beside_the_curve_of_all(small_shop: SmallShop) -> None:
    """Seven months with a horizon of 30 days: the oldest folds only have an outcome at 30 days."""
    models = rows(
        small_shop.home.published_file, "SELECT DISTINCT model FROM survival_evaluation WHERE metric = 'ece' ORDER BY 1"
    )
    assert models == [("survival_marginal",), ("survival_marginal_hazards",), ("survival_view",)]
    too_early = f"SELECT count(*) FROM survival_evaluation WHERE fold + horizon_days + 30 > DATE '{date(2025, 7, 30)}'"
    assert rows(small_shop.home.published_file, too_early) == [(0,)]


def test_a_history_too_short_for_a_model_leaves_the_horizons_unknown_with_a_reason(
    small_shop: SmallShop, tmp_path: Path
) -> None:
    """A hundred days: one label window has closed, and nothing of the 30 days after any snapshot."""
    events = pl.read_parquet(small_shop.source)
    short, home = tmp_path / "short.parquet", Home(tmp_path / "home")
    end = events["occurred_at"].min() + timedelta(days=100)  # type: ignore[operator]
    assert isinstance(end, datetime)
    events.filter(pl.col("occurred_at") < end).write_parquet(short)

    ended = churn("run", "--source", short, "--mapping", SIMULATED_MAPPING, "--definition", small_shop.definition,
                  home=home.root)  # fmt: skip

    assert ended.code == 1, ended.output
    told = rows(
        home.published_file,
        "SELECT scored_by, count(*) = count(active_0d), count(active_30d), min(reason)"
        " FROM survival_forecast JOIN churn_scores_latest USING (user_id) GROUP BY scored_by",
    )
    [(scored_by, all_begin, known, reason)] = told
    assert (scored_by, all_begin, known) == ("bgnbd", True, 0)
    assert "days 0 to 30: no snapshot is old enough to know who churned by then" in str(reason)
    assert rows(home.published_file, "SELECT count(*) FROM survival_evaluation") == [(0,)]
    assert "No horizon has been tested" in (home.reports / PAGE).read_text()
