"""The reports of a finished home in Chinese, written anew by the assets that wrote them in English."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from churn_platform.lake.ledger import Ledger
from churn_platform.registry.registry import ModelRegistry
from churn_platform.reports.model_report import RECORD
from churn_platform.settings import Home
from churn_platform_tests.integration.shops import materialise

WRITERS = ["champion_model", "survival_forecast", "challenger_comparison"]


def in_chinese(home: Home, folder: Path) -> Home:
    """A copy of the home in which every report that has a language is in Chinese."""
    shutil.copytree(home.root, folder)
    chinese = Home(folder)
    definition = chinese.definition_file.read_text(encoding="utf-8")
    chinese.definition_file.write_text(f'{definition}\n[reports]\nlanguage = "zh"\n', encoding="utf-8")
    champion = ModelRegistry(chinese.registry_file).champion()
    # while it is there, the presentation of a signed model stays as it is
    (chinese.reports / "models" / str(champion) / RECORD).unlink()
    day = Ledger(chinese).days()[-1]
    # a thread of its own: in that of the tests the browser keeps an event loop running, and Dagster starts one
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(max_workers=1) as apart:
        patch.setenv("CHURN_HOME", str(chinese.root))
        patch.setenv("DAGSTER_HOME", str(chinese.dagster))
        assert apart.submit(materialise, chinese, WRITERS, day, day).result().success
    return chinese
