"""What a run prints."""

import re

import dagster as dg
import pytest

from churn_platform.orchestration.console import step_lines


def printed(asset: dg.AssetsDefinition, capsys: pytest.CaptureFixture[str]) -> list[str]:
    job = dg.Definitions(
        assets=[asset], jobs=[dg.define_asset_job("job", [asset])], loggers={"step_lines": step_lines}
    ).resolve_job_def("job")
    capsys.readouterr()
    job.execute_in_process(run_config={"loggers": {"step_lines": {"config": {}}}}, raise_on_error=False)
    return capsys.readouterr().err.splitlines()


def test_a_step_prints_its_messages_and_one_line_when_it_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    @dg.asset
    def user_days(context: dg.AssetExecutionContext) -> None:
        context.log.debug("rows of every day")
        context.log.info("2 of 3 snapshots to build")
        context.log.warning("nobody to contact")

    lines = printed(user_days, capsys)
    told = [line.split("user_days", 1)[1].strip() for line in lines if "user_days" in line]
    assert told[:2] == ["2 of 3 snapshots to build", "nobody to contact"]
    assert len(told) == 3 and re.fullmatch(r"done in \d+\.\d s", told[2])
    assert not any("rows of every day" in line for line in lines)


def test_a_failed_step_prints_what_it_said_and_is_not_done(capsys: pytest.CaptureFixture[str]) -> None:
    @dg.asset
    def user_days() -> None:
        raise dg.Failure(description="3 rows have no user", allow_retries=False)

    lines = printed(user_days, capsys)
    assert any("user_days" in line and "3 rows have no user" in line for line in lines)
    assert not any("done in" in line for line in lines)
