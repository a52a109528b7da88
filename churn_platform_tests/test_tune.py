"""The search: it stops by count and by time, and a kill -9 anywhere changes nothing of what it finds."""

import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from churn_platform.cli import app
from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.tuning import SPACE
from churn_platform.errors import UsageError
from churn_platform.settings import REPOSITORY, Home
from churn_platform.tune import search, tune_home

NEVER = math.inf
# Beyond the sampler's ten random trials, so that it also learns from those before.
TRIALS = 12
KILLED = """
import math, os, signal, sys
from pathlib import Path
from churn_platform.tune import search
from churn_platform_tests.test_tune import loss

calls = 0

def killed(parameters):
    global calls
    calls += 1
    if calls == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return loss(parameters)

search(killed, Path(sys.argv[1]), trials=12, deadline=math.inf, log=print)
"""


def loss(parameters: BoostingParameters) -> float:
    """Least at depth 5, learning rate .05, subsample .9."""
    return (
        0.5
        + (parameters.max_depth - 5) ** 2 / 100
        + abs(math.log(parameters.learning_rate / 0.05)) / 10
        + abs(parameters.subsample - 0.9)
    )


def run(
    file: Path, trials: int = TRIALS, deadline: float = NEVER
) -> tuple[int, list[tuple[BoostingParameters, float]]]:
    return search(loss, file, trials=trials, deadline=deadline, log=lambda told: None)


def test_the_defaults_come_first_and_every_trial_is_inside_the_space(tmp_path: Path) -> None:
    added, tried = run(tmp_path / "study.db")
    assert added == len(tried) == TRIALS
    assert tried[0] == (BoostingParameters(), loss(BoostingParameters()))
    assert len({str(parameters) for parameters, _ in tried}) == TRIALS
    for parameters, value in tried:
        assert value == loss(parameters)
        assert replace(parameters, **{name: getattr(BoostingParameters(), name) for name in SPACE}) == (
            BoostingParameters()
        ), "nothing else is changed"
        for name, span in SPACE.items():
            assert span.low <= getattr(parameters, name) <= span.high
        assert isinstance(parameters.max_depth, int)


def test_two_searches_try_the_same(tmp_path: Path) -> None:
    assert run(tmp_path / "one.db") == run(tmp_path / "two.db")


def test_a_search_finds_better_ones_than_chance(tmp_path: Path) -> None:
    _, tried = run(tmp_path / "study.db", trials=40)
    assert min(value for _, value in tried) < min(value for _, value in tried[:10]) < loss(BoostingParameters())


def test_killed_searches_taken_up_again_equal_an_undisturbed_one(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    for call in (1, 3, 9):  # in the first trial of all, then after 2 and 10 completed ones
        ended = subprocess.run([sys.executable, "-c", KILLED, file, str(call)], cwd=REPOSITORY, check=False)
        assert ended.returncode == -signal.SIGKILL
    added, tried = run(file)
    assert added == TRIALS - 10
    assert tried == run(tmp_path / "undisturbed.db")[1]


def test_the_same_call_again_adds_nothing_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    _, first = run(tmp_path / "study.db", trials=5)
    assert run(tmp_path / "study.db", trials=5) == (0, first)
    assert run(tmp_path / "study.db", trials=3) == (0, first)
    added, more = run(tmp_path / "study.db", trials=12)
    assert added == 7 and more[:5] == first
    assert more == run(tmp_path / "at_once.db", trials=12)[1]


def test_when_time_is_up_only_what_is_needed_is_tried(tmp_path: Path) -> None:
    told: list[str] = []
    added, tried = search(loss, tmp_path / "study.db", trials=9, deadline=time.monotonic() - 1, log=told.append)
    assert added == 1 and tried[0][0] == BoostingParameters(), "a result needs the defaults"
    assert told[-1].startswith("Time is up after 1 of 9 trials")
    assert run(tmp_path / "study.db", trials=9, deadline=time.monotonic() - 1)[0] == 0


def test_a_trial_that_would_end_too_late_does_not_begin(tmp_path: Path) -> None:
    def slow(parameters: BoostingParameters) -> float:
        time.sleep(0.2)
        return loss(parameters)

    added, _ = search(slow, tmp_path / "study.db", trials=9, deadline=time.monotonic() + 0.5, log=lambda told: None)
    assert added < 9


@pytest.mark.parametrize(
    "arguments", [["--trials", "0"], ["--minutes", "0"], ["--minutes", "-3"], ["--trials", "many"]]
)
def test_bad_arguments_are_refused(arguments: list[str], tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["tune", *arguments, "--home", str(tmp_path)])
    assert ended.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_home_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Nothing has been built in .* yet\. Run 'make demo' or 'churn run'"):
        tune_home(Home(tmp_path), trials=1, minutes=1, log=print)
    assert list(tmp_path.iterdir()) == []
