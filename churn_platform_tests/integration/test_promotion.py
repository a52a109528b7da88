"""A candidate beside a champion, through the commands: in the shadow, promoted under kill -9, rolled back, damaged."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from churn_platform.lake.ledger import Ledger
from churn_platform.launch import run_job
from churn_platform.registry.registry import ModelRegistry
from churn_platform.settings import REPOSITORY, Home
from churn_platform_tests.integration.conftest import SmallShop
from churn_platform_tests.integration.shops import CHURN, SIMULATED_MAPPING, churn, content, rows

pytestmark = pytest.mark.lifecycle

SCORES = ["churn_scores", "churn_scores_latest", "retention_campaign"]
SIGNATURE = ("--by", "Ada", "--note", "better on the folds")
# The command itself, killed at one write of the registry or at one rename of a report.
KILLED = """
import os, signal, sys

point, moment = int(sys.argv.pop(1)), sys.argv.pop(1)
written, renamed = 0, 0
write, replace = os.write, os.replace

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def writing(descriptor, content):
    global written
    if not os.readlink(f"/proc/self/fd/{descriptor}").endswith("registry.jsonl"):
        return write(descriptor, content)
    written += 1
    if written == point and moment == "before":
        die()
    if written == point and moment == "half":
        write(descriptor, content[: len(content) // 2])
        die()
    done = write(descriptor, content)
    if written == point and moment == "after":
        die()
    return done

def renaming(source, target, **options):
    global renamed
    renamed += "acceptance" in str(target)
    if renamed == point and moment == "rename":
        die()
    return replace(source, target, **options)

os.write, os.replace = writing, renaming
from churn_platform.cli import main
main()
"""
# (which write or rename, when, whether the new model is champion after it): the acceptance is written first, the
# champion second, the record of the signed page first, the page second.
POINTS = [
    (1, "before", False), (1, "half", False), (1, "after", False),
    (2, "before", False), (2, "half", False), (2, "after", True),
    (1, "rename", True), (2, "rename", True),
]  # fmt: skip


@dataclass(frozen=True)
class Contest:
    """A home in which `champion` scores and `challenger` waits for its signature."""

    home: Home
    champion: str
    challenger: str
    told: str

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry(self.home.registry_file)

    def promote(self) -> list[str]:
        return ["promote", self.challenger, *SIGNATURE, "--home", str(self.home.root)]

    def refresh(self) -> None:
        day = Ledger(self.home).days()[-1]
        outcome = run_job(self.home, "daily_refresh", day, day)
        assert outcome.succeeded and not outcome.red_checks, (outcome.failures, outcome.red_checks)


@pytest.fixture(scope="module")
def contest(small_shop: SmallShop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contest]:
    folder = tmp_path_factory.mktemp("contest")
    home = Home(folder / "home")
    shutil.copytree(small_shop.home.root, home.root)
    definition = folder / "churn.toml"
    later = "[evaluation]\nfirst_training_snapshot = 2025-03-17\n"
    definition.write_text(
        small_shop.definition.read_text().replace("auto_accept = true", "auto_accept = false") + later
    )
    arguments = ["run", "--source", small_shop.source, "--mapping", SIMULATED_MAPPING, "--definition", definition]
    ended = churn(*arguments, home=home.root)
    assert ended.code == 1 and "champion_model.signed_off" in ended.output, ended.output
    registry = ModelRegistry(home.registry_file)
    champion, challenger = registry.champion(), registry.candidate()
    assert champion and challenger and champion != challenger
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHURN_HOME", str(home.root))
        patch.setenv("DAGSTER_HOME", str(home.dagster))
        yield Contest(home, champion, challenger, ended.output)


def test_the_challenger_scores_everybody_in_the_shadow_and_changes_no_score_and_no_list(
    contest: Contest, small_shop: SmallShop
) -> None:
    file = contest.home.published_file
    assert content(file, only=SCORES) == content(small_shop.home.published_file, only=SCORES)
    beside = (
        "SELECT count(*), count(shadow.user_id), bool_and(champion_probability = churn_probability"
        " AND champion_band = risk_band AND champion_version = model_version), min(challenger_version),"
        " max(challenger_version), count(*) FILTER (challenger_probability <> champion_probability)"
        " FROM churn_scores_latest LEFT JOIN shadow_scores AS shadow USING (snapshot_date, user_id)"
    )
    [(users, scored, same, first, last, differ)] = rows(file, beside)
    assert users == scored and same and first == last == contest.challenger
    assert int(str(differ)) > int(str(users)) / 2, "another model says something else"
    [(customers, correlation, matured)] = rows(
        file, "SELECT customers, rank_correlation, matured FROM challenger_comparison"
    )
    assert customers == users and 0.5 < float(str(correlation)) < 1 and matured is False
    page = (contest.home.reports / "challenger.html").read_text()
    assert contest.champion in page and f"churn promote {contest.challenger}" in page
    assert f"{contest.challenger}, in the shadow: rank correlation" in contest.told


def test_a_home_whose_newest_candidate_is_champion_has_no_shadow(small_shop: SmallShop) -> None:
    for table in ("shadow_scores", "challenger_comparison"):
        assert rows(small_shop.home.published_file, f"SELECT count(*) FROM {table}") == [(0,)]
    assert "No challenger" in (small_shop.home.reports / "challenger.html").read_text()


@pytest.fixture
def unsigned(contest: Contest) -> Iterator[Contest]:
    """The contest, and afterwards its registry, models and reports as they were."""
    registry, kept = contest.home.registry_file.read_bytes(), contest.home.root.parent / "before"
    folders = {contest.home.reports / "models" / contest.challenger: "reports", contest.home.models: "models"}
    for folder, name in folders.items():
        shutil.copytree(folder, kept / name)
    yield contest
    contest.home.registry_file.write_bytes(registry)
    for folder, name in folders.items():
        shutil.rmtree(folder)
        (kept / name).rename(folder)


def signed_once(contest: Contest) -> None:
    """The same command ends well whatever was killed, and the challenger has been made champion once."""
    again = churn(*contest.promote(), home=contest.home.root)
    assert again.code == 0, again.output
    assert contest.registry.champion() == contest.challenger
    told = contest.registry.events().filter(model_version=contest.challenger)["event"].to_list()
    assert told == ["candidate", "accepted", "champion"]
    acceptance = (contest.home.reports / "models" / contest.challenger / "acceptance.html").read_text()
    assert "Accepted" in acceptance and "better on the folds" in acceptance


@pytest.mark.parametrize(("point", "moment", "promoted"), POINTS)
def test_a_kill_at_any_write_of_a_promotion_leaves_the_old_champion_or_the_new(
    unsigned: Contest, point: int, moment: str, promoted: bool
) -> None:
    command = [sys.executable, "-c", KILLED, str(point), moment, *unsigned.promote()]
    ended = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stdout + ended.stderr
    assert unsigned.registry.champion() == (unsigned.challenger if promoted else unsigned.champion)
    signed_once(unsigned)


def test_kills_at_any_time_leave_the_old_champion_or_the_new(unsigned: Contest) -> None:
    began = time.monotonic()
    assert churn("promote", "nobody", *SIGNATURE, home=unsigned.home.root).code == 2
    usual = time.monotonic() - began
    for share in (0.3, 0.7, 0.9, 1.0):
        process = subprocess.Popen(
            [CHURN, *unsigned.promote()],
            env={**os.environ, "CHURN_HOME": str(unsigned.home.root)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(share * usual)
        process.kill()
        process.wait(timeout=60)
        assert unsigned.registry.champion() in (unsigned.champion, unsigned.challenger)
    signed_once(unsigned)


def test_a_promotion_scores_from_the_next_refresh_on_and_a_rollback_gives_back_the_very_scores(
    contest: Contest,
) -> None:
    home, shadow = contest.home, ["shadow_scores", "challenger_comparison"]
    before, in_the_shadow = content(home.warehouse_file, only=SCORES), content(home.warehouse_file, only=shadow)
    assert churn(*contest.promote(), home=home.root).code == 0
    assert content(home.warehouse_file, only=SCORES) == before, "until the next refresh"
    contest.refresh()
    predicted = rows(home.warehouse_file, "SELECT user_id, churn_probability, model_version FROM churn_scores_latest")
    said = {row[1]: row[5] for row in in_the_shadow["shadow_scores"]}
    assert {user: risk for user, risk, _ in predicted} == said, "what it had said in the shadow, to the last bit"
    assert {version for _, _, version in predicted} == {contest.challenger}
    assert content(home.warehouse_file, only=shadow) == {table: [] for table in shadow}
    back = churn("rollback", contest.challenger, *SIGNATURE, home=home.root)
    assert back.code == 0, back.output
    assert "cannot score" not in back.output
    contest.refresh()
    assert contest.registry.champion() == contest.champion
    assert content(home.warehouse_file, only=SCORES) == before
    assert content(home.warehouse_file, only=shadow) == in_the_shadow, "what was rolled back is the challenger again"


def test_a_rollback_to_a_model_that_cannot_score_says_so(unsigned: Contest) -> None:
    assert churn(*unsigned.promote(), home=unsigned.home.root).code == 0
    (unsigned.home.models / unsigned.champion / "boosted_0.ubj").unlink()
    back = churn("rollback", unsigned.challenger, *SIGNATURE, home=unsigned.home.root)
    assert back.code == 0, back.output
    assert unsigned.registry.champion() == unsigned.champion
    assert f"{unsigned.champion} cannot score" in back.output and "boosted_0.ubj is missing. Restore" in back.output


def test_a_damaged_challenger_is_told_and_stops_nothing(unsigned: Contest) -> None:
    home = unsigned.home
    before = content(home.warehouse_file, only=SCORES)
    file = home.models / unsigned.challenger / "boosted_0.ubj"
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(bytes(damaged))
    unsigned.refresh()
    assert content(home.warehouse_file, only=SCORES) == before
    assert rows(home.published_file, "SELECT count(*) FROM shadow_scores") == [(0,)]
    told = f"{file} has changed since the model was saved"
    assert told in (home.reports / "challenger.html").read_text()
    doctor = churn("doctor", home=home.root)
    assert doctor.code == 1 and "has changed since" in doctor.output.replace("\n", " "), doctor.output
