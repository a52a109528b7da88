"""A column that is known only once a customer has left is caught before a model learns from it."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from churn_platform.reports.feature_quality import PAGE
from churn_platform.settings import Home
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import SIMULATED_MAPPING, churn, rows

pytestmark = pytest.mark.lifecycle


def with_backdated_contacts(shop: SmallShop, folder: Path) -> Path:
    """The shop's file, and a review on the day before each snapshot for everyone who then stayed away.

    So it looks where a clerk notes the departed at the end of a month and dates the note back to its beginning.
    """
    events = pl.read_parquet(shop.source)
    churned = pl.DataFrame(
        rows(shop.home.warehouse_file, "SELECT user_id, snapshot_date FROM churn_labels WHERE churned"),
        schema={"customer": pl.String, "snapshot_date": pl.Date},
        orient="row",
    )
    day_before = pl.col("snapshot_date").cast(pl.Datetime("us", "UTC")) - timedelta(hours=12)
    notes = churned.select(
        customer="customer",
        occurred_at=day_before.cast(events.schema["occurred_at"]),
        action=pl.lit("review"),
        event_uuid=pl.concat_str(pl.lit("note-"), "customer", pl.lit("-"), pl.col("snapshot_date").cast(pl.String)),
    )
    planted = folder / "planted.parquet"
    pl.concat([events, notes], how="diagonal").write_parquet(planted)
    return planted


def test_a_planted_leak_stops_the_training_and_is_named(small_shop: SmallShop, tmp_path: Path) -> None:
    planted, home = with_backdated_contacts(small_shop, tmp_path), Home(tmp_path / "home")

    ended = churn("run", "--source", planted, "--mapping", SIMULATED_MAPPING, "--definition", small_shop.definition,
                  home=home.root)  # fmt: skip

    assert ended.code == 1, ended.output
    assert "no_feature_tells_too_much" in ended.output
    assert "review_recency_days (" in " ".join(ended.output.split())
    caught = rows(home.warehouse_file, "SELECT feature, feature_family FROM feature_quality WHERE auc > auc_ceiling")
    assert "review_recency_days" in {feature for feature, _ in caught}
    assert {family for _, family in caught} == {"engagement"}
    page = (home.reports / PAGE).read_text()
    assert "no model is trained" in page and "<code>review_recency_days</code> has an AUC of" in page
    assert not home.models.joinpath("registry.jsonl").exists()
    assert rows(home.published_file, "SELECT DISTINCT scored_by FROM churn_scores_latest") == [("bgnbd",)]


def test_an_honest_shop_passes_and_its_report_and_dictionary_tell_what_each_feature_is_worth(
    small_shop: SmallShop,
) -> None:
    told = rows(
        small_shop.home.warehouse_file,
        "SELECT count(*), count(*) FILTER (auc > auc_ceiling), max(auc) FROM feature_quality",
    )
    features, too_good, best = told[0]
    assert (int(str(features)) > 150, too_good) == (True, 0)
    assert 0.6 < float(str(best)) < 0.95
    page = (small_shop.home.reports / PAGE).read_text()
    assert "No feature tells too much" in page and 'data-feature="recency_days"' in page
    listed = rows(
        small_shop.home.published_file,
        "SELECT feature_family, auc > 0.5, information_value > 0, psi IS NOT NULL FROM data_dictionary"
        " WHERE table_name = 'user_features' AND column_name = 'recency_days'",
    )
    assert listed == [("recency", True, True, True)]


def test_what_the_source_cannot_supply_is_null_and_named(small_shop: SmallShop) -> None:
    """The simulated shop runs no campaigns and gives no discounts."""
    absent = "SELECT count(campaign_exposures_90d), count(discount_share_365d), count(*) > 0 FROM marketing_features"
    assert rows(small_shop.home.warehouse_file, absent) == [(0, 0, True)]
    assert rows(small_shop.home.warehouse_file, "SELECT count(*) FROM user_features WHERE views_7d IS NULL") == [(0,)]
    page = (small_shop.home.reports / PAGE).read_text()
    _, named = page.split("Without a value")
    assert "<code>campaign_exposures_90d</code>" in named and "<code>views_7d</code>" not in named
    meaning = "SELECT meaning FROM data_dictionary WHERE column_name = 'discount_share_365d'"
    assert "null while the source has no discount" in str(rows(small_shop.home.published_file, meaning))
