"""`churn doctor` on a home in order, and on one with something wrong."""

from dataclasses import replace
from datetime import timedelta

from churn_platform.doctor import examine
from churn_platform.lake.ledger import Ledger
from churn_platform.launch import open_instance
from churn_platform.registry.registry import ModelRegistry
from churn_platform.settings import Home
from churn_platform_tests.integration.conftest import SmallShop


def advice(home: Home) -> dict[str, str]:
    with open_instance(home) as instance:
        return {finding.what: finding.advice for finding in examine(home, instance) if finding.advice}


def test_a_finished_home_is_in_order(shop_copy: SmallShop) -> None:
    assert advice(shop_copy.home) == {}


def test_a_rejected_file_that_was_taken_back_is_no_finding(shop_copy: SmallShop) -> None:
    (shop_copy.home.rejected / "bad.csv.error.txt").write_text("no")
    assert advice(shop_copy.home) == {}


def test_a_delivery_that_leaves_days_out_is_a_finding(shop_copy: SmallShop) -> None:
    """It declares the days before its arrival complete, and holds events of weeks before only."""
    ledger = Ledger(shop_copy.home)
    history = next(iter(ledger.landed().values()))
    last = history.last_event_day
    for days, silent in ((3, False), (4, True)):
        arrival = last + timedelta(days=days)
        ledger.commit(replace(history, fingerprint=f"late{days}", mode="live", days={}, arrival_day=arrival))
        assert ("lake" in advice(shop_copy.home)) == silent
    assert f"The newest event is of {last}, 3 days before" in advice(shop_copy.home)["lake"]


def test_each_damage_is_found_and_comes_with_advice(shop_copy: SmallShop) -> None:
    home = shop_copy.home
    home.definition_file.write_text("timezone = 'Nowhere'")
    home.mapping_file.write_text("[source]")
    (home.rejected / "bad.csv").write_text("user")
    (home.rejected / "bad.csv.error.txt").write_text("no")
    Ledger(home).fragments()[0].unlink()
    model = home.models / str(ModelRegistry(home.registry_file).champion()) / "model.json"
    model.write_bytes(model.read_bytes() + b" ")
    home.published_file.unlink()
    found = advice(home)
    assert found.keys() == {"churn.toml", "mapping.toml", "landing", "lake", "champion", "published file"}
    assert "has changed since" in found["champion"]
    assert "Nowhere" in found["churn.toml"]
