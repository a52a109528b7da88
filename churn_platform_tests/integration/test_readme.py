"""The README's commands work as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from churn_platform.settings import REPOSITORY
from churn_platform_tests.integration.conftest import SmallShop

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
SHELL = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines() if line]
TARGETS = sorted(set(re.findall(r"`?make ([a-z-]+)", README)))


def shell(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "CHURN_HOME": str(home)}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", [line for line in SHELL if line.startswith("churn ")])
def test_a_churn_command_runs(small_shop: SmallShop, command: str) -> None:
    ended = shell(command, small_shop.home.root)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_a_make_target_exists(small_shop: SmallShop, target: str) -> None:
    ended = shell(f"make --dry-run {target}", small_shop.home.root)
    assert ended.returncode == 0, ended.stdout


def test_the_python_example_runs(small_shop: SmallShop) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    code = (
        example.replace("data/demo/published/churn.duckdb", str(small_shop.home.published_file))
        + "\nassert frame.height > 0"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_the_files_that_the_readme_names_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    for link in links:
        assert (REPOSITORY / link).exists(), link
