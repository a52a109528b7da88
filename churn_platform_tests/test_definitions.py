"""The definitions load by both routes, and every change of the graph is a reviewed diff."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from syrupy.assertion import SnapshotAssertion

from churn_platform.definitions import defs
from churn_platform.settings import REPOSITORY
from churn_platform.sql.library import default_library


@pytest.fixture
def definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    monkeypatch.setenv("CHURN_HOME", str(tmp_path))
    return defs()


def described(definitions: dg.Definitions) -> dict[str, Any]:
    graph = definitions.resolve_asset_graph()
    assets = {}
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        assets[key.to_user_string()] = {
            "group": node.group_name,
            "owners": sorted(map(str, node.owners)),
            "kinds": sorted(node.kinds),
            "depends on": sorted(parent.to_user_string() for parent in node.parent_keys),
            "partitioned": node.is_partitioned,
            "checks": {
                check.name: "blocking" if graph.get_check_spec(check).blocking else "shows"
                for check in sorted(node.check_keys)
            },
        }
    return {
        "assets": assets,
        "jobs": {
            name: sorted(
                key.to_user_string() for key in definitions.resolve_job_def(name).asset_layer.executable_asset_keys
            )
            for name in ("full_refresh", "daily_refresh")
        },
        "sensors": {sensor.name: sensor.default_status.value for sensor in definitions.sensors or []},
    }


def test_the_graph_is_as_reviewed(definitions: dg.Definitions, snapshot: SnapshotAssertion) -> None:
    assert described(definitions) == snapshot


def test_every_contract_has_an_asset_and_every_asset_says_what_it_is(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    names = {key.to_user_string() for key in graph.get_all_asset_keys()}
    # the gate itself writes quality_results
    assert default_library().contracts.keys() - {"quality_results"} <= names
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description and node.owners and node.kinds, key


def test_no_campaign_reads_what_the_challenger_says(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    shadows = {dg.AssetKey("shadow_scores"), dg.AssetKey("challenger_comparison")}
    readers = {key for key in graph.get_all_asset_keys() if graph.get(key).parent_keys & shadows}
    assert {key.to_user_string() for key in readers} == {"challenger_comparison", "published"}


def test_one_partitions_definition_on_the_three_arrival_day_assets(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    partitioned = [graph.get(key) for key in graph.get_all_asset_keys() if graph.get(key).is_partitioned]
    assert {node.key.to_user_string() for node in partitioned} == {"raw_events", "stg_events", "user_days"}
    assert len({node.partitions_def for node in partitioned}) == 1


@pytest.mark.parametrize("route", [
    ["dagster", "definitions", "validate", "--workspace", "workspace.yaml"],
    ["dg", "check", "defs"],
])  # fmt: skip
def test_both_routes_load(route: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text((REPOSITORY / "dagster.yaml").read_text())
    program = Path(sys.executable).with_name(route[0])
    ended = subprocess.run(
        [program, *route[1:]], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout
