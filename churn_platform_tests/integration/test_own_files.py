"""A user's own files, from `churn init` to scores, without an edit in between."""

import shlex
from pathlib import Path

import pytest

from churn_platform.settings import Home
from churn_platform_tests.integration.shops import churn, rows
from churn_platform_tests.onboarding.transaction_log import as_csv, order_lines

pytestmark = pytest.mark.lifecycle


def test_a_log_with_unusual_headers_becomes_scores_by_the_commands_that_init_prints(tmp_path: Path) -> None:
    lines = order_lines(customers=1000, days=420)
    header = ["BelegNr", "KdNr", "Kaufdatum", "ArtNr", "Stk", "VK-Preis", "Filiale"]
    german = as_csv(header, lines, "%d/%m/%Y %H:%M").replace(",", ";").replace(".", ",").replace("/", ".")
    log = tmp_path / "verkauf.csv"
    log.write_text(german, encoding="latin-1")
    home = Home(tmp_path / "shop")
    first = churn("init", log, "--home", home.root, home=home.root)
    assert first.code == 0, first.output
    _, _, command = first.output.partition("Next: churn ")
    ended = churn(*shlex.split(command), home=home.root)
    assert ended.code in (0, 1), ended.output
    [(scored, lowest, highest)] = rows(
        home.published_file,
        "SELECT count(*), min(churn_probability), max(churn_probability) FROM churn_scores_latest",
    )
    assert int(str(scored)) > 100
    assert 0 <= float(str(lowest)) < float(str(highest)) <= 1
