"""The real UI as a process of its own, and what its GraphQL endpoint tells about runs."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from churn_platform.settings import REPOSITORY

START_SECONDS = 150.0
RUN_SECONDS = 240.0
LOG_LINES = 60
FINISHED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})

Found = TypeVar("Found")


@dataclass(frozen=True)
class RunState:
    """One run: its status, its job, its tags, and step → status of the steps that have begun."""

    run_id: str
    status: str
    job: str
    tags: Mapping[str, str]
    steps: Mapping[str, str]


class UiServer:
    """`churn ui` over one home, in a process group of its own; nothing of it outlives `stop` or `kill`."""

    def __init__(self, home: Path, log: Path) -> None:
        self.home = home
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._port = _free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start the server and wait until it has loaded the definitions."""
        churn = Path(sys.executable).with_name("churn")
        command = [str(churn), "ui", "--home", str(self.home), "--port", str(self._port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.until("the definitions are loaded", self._loaded, START_SECONDS)

    def stop(self) -> None:
        """End the server and its children, politely first."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                os.killpg(self._process.pid, signal.SIGTERM)
                self._process.wait(timeout=30)
            self.kill()

    def kill(self) -> None:
        """SIGKILL the server, its daemon, its code server and the runs in progress at once, as a power cut does."""
        if self._process is not None:
            with suppress(ProcessLookupError):  # the whole group has ended
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=30)
            self._process = None

    def until(self, what: str, probe: Callable[[], Found | None], seconds: float = RUN_SECONDS) -> Found:
        """Poll until `probe` returns something; if it never does, say what was awaited and the server's last words."""
        deadline = time.monotonic() + seconds
        while True:
            found = probe()
            if found:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"After {seconds:.0f} s it is still not so that {what}.\n{self.last_words()}")
            time.sleep(0.5)

    def last_words(self) -> str:
        """The end of the server's log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES:])

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Answer of the GraphQL endpoint, the one the pages use.

        Raises:
            AssertionError: the endpoint answered with errors.
        """
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}/graphql", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 - as above
            answer = json.load(reply)
        assert not answer.get("errors"), answer["errors"]
        return dict(answer["data"])

    def runs(self) -> list[RunState]:
        """All runs of the home, newest first."""
        query = (
            "{runsOrError {... on Runs {results {runId status jobName tags {key value} stepStats {stepKey status}}}}}"
        )
        return [_state(run) for run in self.ask(query)["runsOrError"]["results"]]

    def run(self, run_id: str) -> RunState:
        """The run of that id."""
        return next(run for run in self.runs() if run.run_id == run_id)

    def new_run(self, known: set[str]) -> RunState:
        """Wait for the one run that is not among the known ids."""
        (run, *more) = self.until("a new run exists", lambda: [run for run in self.runs() if run.run_id not in known])
        assert not more, f"one run was expected, there are {[run, *more]}"
        return run

    def finished(self, run_id: str) -> RunState:
        """Wait for the end of a run."""

        def probe() -> RunState | None:
            run = self.run(run_id)
            return run if run.status in FINISHED else None

        return self.until(f"run {run_id} has finished", probe)

    def location(self) -> str:
        """The name of the one code location."""
        return str(self.repository()["location"]["name"])

    def launch(self, job: str, tags: Mapping[str, str]) -> str:
        """Launch a job as the launch button of its page does; return the id of the run."""
        repository = self.repository()
        answer = self.ask(
            "mutation ($launch: ExecutionParams!) {launchRun(executionParams: $launch) {__typename "
            "... on LaunchRunSuccess {run {runId}} ... on PythonError {message}}}",
            launch={
                "selector": {
                    "jobName": job,
                    "repositoryName": repository["name"],
                    "repositoryLocationName": repository["location"]["name"],
                },
                "runConfigData": {},
                "mode": "default",
                "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
            },
        )["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def events(self, run_id: str) -> list[str]:
        """What a run's log says, in order."""
        log = "... on EventConnection {events {... on MessageEvent {message}}}"
        query = f"query ($id: ID!) {{logsForRun(runId: $id) {{{log}}}}}"
        return [event["message"] for event in self.ask(query, id=run_id)["logsForRun"]["events"]]

    def repository(self) -> dict[str, Any]:
        nodes = self.ask("{repositoriesOrError {... on RepositoryConnection {nodes {name location {name}}}}}")
        (repository,) = nodes["repositoriesOrError"]["nodes"]
        return dict(repository)

    def _loaded(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"churn ui ended by itself.\n{self.last_words()}"
        try:
            answer = self.ask("{repositoriesOrError {... on RepositoryConnection {nodes {name}}}}")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return bool(answer["repositoriesOrError"].get("nodes"))


def _state(run: Mapping[str, Any]) -> RunState:
    return RunState(
        run_id=run["runId"],
        status=run["status"],
        job=run["jobName"],
        tags={tag["key"]: tag["value"] for tag in run["tags"]},
        steps={step["stepKey"]: step["status"] for step in run["stepStats"]},
    )


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
