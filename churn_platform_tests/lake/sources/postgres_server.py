"""A PostgreSQL server of a test's own: Debian's package, an empty cluster, a free port on 127.0.0.1."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

INSTALLED = Path("/usr/lib/postgresql")


@dataclass
class PostgresServer:
    """A running server whose superuser `shop` needs no password."""

    programs: Path
    folder: Path
    port: int
    account: str | None

    @property
    def dsn(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=shop dbname=postgres"

    def execute(self, sql: str) -> str:
        """Run SQL and return what psql prints, unaligned."""
        return self._run("psql", "-d", self.dsn, "-v", "ON_ERROR_STOP=1", "-qAtc", sql)

    def initialise(self) -> None:
        self._run("initdb", "-D", str(self._data), "-U", "shop", "-A", "trust", "-E", "UTF8", "--no-sync")

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "-D", str(self._data), "-o", options, "-l", str(self.folder / "log"), "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: str) -> str:
        command = [str(self.programs / program), *arguments]
        # PostgreSQL's children would keep a pipe open for as long as they live.
        with tempfile.TemporaryFile("w+") as output:
            ended = subprocess.run(
                command, stdout=output, stderr=subprocess.STDOUT, user=self.account, cwd=self.folder, check=False
            )
            output.seek(0)
            printed = output.read()
        assert ended.returncode == 0, f"{' '.join(command)}\n{printed}"
        return printed.strip()


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Serve until the block ends."""
    found = sorted(INSTALLED.glob("*/bin/initdb"))
    assert found, "PostgreSQL is not installed: apt-get install postgresql"
    account = _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="churn-postgres-"))
    if account is not None:
        shutil.chown(folder, account)
    server = PostgresServer(found[-1].parent, folder, _free_port(), account)
    try:
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _unprivileged() -> str | None:
    """The account to run as where the test itself is root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    accounts = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in accounts else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
