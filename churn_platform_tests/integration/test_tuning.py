"""churn tune on a whole home: killed and taken up again, and what the next training makes of it."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.registry.registry import ModelRegistry
from churn_platform.registry.store import ModelStore
from churn_platform.settings import Home
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import CHURN, churn

pytestmark = pytest.mark.lifecycle

TUNE = ("tune", "--trials", "3", "--minutes", "30")


def best(home: Home) -> Path:
    [file] = home.models.glob("tuning/*/best.json")
    return file


def kill_after_first_trial(home: Home) -> int:
    process = subprocess.Popen(
        [CHURN, *TUNE], env={**os.environ, "CHURN_HOME": str(home.root)}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Trial 1 of 3"):
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    return process.wait(timeout=60)


def test_a_killed_search_goes_on_and_the_next_training_takes_what_is_better(
    shop_copy: SmallShop, small_shop: SmallShop, tmp_path: Path
) -> None:
    home, other = shop_copy.home, Home(tmp_path / "undisturbed")
    shutil.copytree(small_shop.home.root, other.root)
    undisturbed = churn(*TUNE, home=other.root)
    assert undisturbed.code == 0, undisturbed.output
    assert kill_after_first_trial(home) == -signal.SIGKILL
    assert not list(home.models.glob("tuning/*/best.json"))
    resumed = churn(*TUNE, home=home.root)
    assert resumed.code == 0, resumed.output
    assert "Trial 1 of 3" not in resumed.output and "3 trials, 2 of them now" in resumed.output
    assert best(home).read_bytes() == best(other).read_bytes()
    again = churn(*TUNE, home=home.root)
    assert "3 trials, 0 of them now" in again.output and best(home).read_bytes() == best(other).read_bytes()

    clearly_better = {**json.loads(best(home).read_text()), "gain": 0.5, "standard_error": 0.1}
    clearly_better["parameters"]["max_depth"] = 2
    best(home).write_text(json.dumps(clearly_better))
    default = ModelRegistry(home.registry_file).candidate()
    ended = churn(*shop_copy.arguments(), home=home.root)
    assert ended.code == 0, ended.output
    tuned = ModelRegistry(home.registry_file).candidate()
    assert tuned and tuned != default
    manifest = ModelStore(home.models).manifest(tuned)
    assert manifest["tuning"] == clearly_better
    assert BoostingParameters(**manifest["parameters"]) == BoostingParameters(**clearly_better["parameters"])
    presentation = (home.reports / "models" / tuned / "presentation.html").read_text()
    assert "max_depth 2" in presentation and "churn tune: the best of 3 trials" in presentation


def test_an_unfinished_history_is_refused_with_what_to_do(shop_copy: SmallShop) -> None:
    text = shop_copy.home.definition_file.read_text().replace("horizon_days = 30", "horizon_days = 50")
    shop_copy.home.definition_file.write_text(text)
    refused = churn(*TUNE, home=shop_copy.home.root)
    assert refused.code == 1
    assert "before the earliest fold" in refused.output and "stay with the defaults" in refused.output
    assert not (shop_copy.home.models / "tuning").exists()
