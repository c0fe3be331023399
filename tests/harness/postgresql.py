"""A real PostgreSQL server for tests: started once a session, a fresh database a test.

It listens on a Unix socket in a temporary directory and nowhere else, so nothing can clash: each worker of a parallel
run has its own. fsync stays on, since durability is part of what is tested. PostgreSQL refuses to run as root, and then
runs as `postgres`. Should the test process be killed, the kernel stops the server (`setpriv --pdeathsig`).
Tests are skipped where PostgreSQL is not installed.
"""

import asyncio
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from cloud.db import migrate

ACCOUNT = "postgres"
TEMPLATE = "argus_template"
START_S_MAX = 60.0
STOP_S_MAX = 20.0


class PostgresqlCluster:
    """One running server."""

    def __init__(self, socket_folder: Path) -> None:
        self.socket_folder = socket_folder
        self._numbers = itertools.count(1)

    def url(self, database: str) -> str:
        """The address of a database on this server, as the settings have it."""
        return f"postgresql://{ACCOUNT}@/{database}?host={self.socket_folder}"

    def administer(self, statement: str) -> None:
        """Run one statement as the server's administrator, outside any transaction."""
        # In a thread with a loop of its own: the caller's thread may be running a test's loop.
        with ThreadPoolExecutor(max_workers=1) as executor:
            executor.submit(asyncio.run, self._administer(statement)).result()

    async def _administer(self, statement: str) -> None:
        connection = await asyncpg.connect(user=ACCOUNT, database="postgres", host=str(self.socket_folder))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    @contextmanager
    def database(self, *, template: str = TEMPLATE) -> Iterator[str]:
        """A database for one test: its address. Migrated, unless `template` says `template0`."""
        name = f"test_{next(self._numbers)}"
        self.administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def programs() -> Path | None:
    """The folder of the newest PostgreSQL programs, None where there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def _as_postgres(*command: str) -> list[str]:
    """The command, run by `postgres` when we are root."""
    return ["runuser", "-u", ACCOUNT, "--", *command] if os.geteuid() == 0 else list(command)


def _server_command(server: Path, data: Path, sockets: Path) -> list[str]:
    # setpriv replaces itself by the server, so that the server is our child and dies with us.
    account = ["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups"] if os.geteuid() == 0 else []
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "fsync": "on",
        "max_connections": "200",
        "shared_buffers": "64MB",
        "autovacuum": "off",
        "log_min_messages": "fatal",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return ["setpriv", *account, "--pdeathsig", "QUIT", str(server), "-D", str(data), *options]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlCluster]:
    """The session's server, with a migrated template."""
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="argus-pg-"))
    server = None
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, ACCOUNT, ACCOUNT)
        data = folder / "data"
        initdb = ("-D", str(data), "-U", ACCOUNT, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        subprocess.run(_as_postgres(str(bin_folder / "initdb"), *initdb), check=True, capture_output=True, cwd="/")
        with (folder / "server.log").open("wb") as log:
            server = subprocess.Popen(
                _server_command(bin_folder / "postgres", data, folder), stdout=log, stderr=log, cwd="/"
            )
        cluster = PostgresqlCluster(folder)
        _await_start(cluster, server, folder / "server.log")
        cluster.administer(f"CREATE DATABASE {TEMPLATE}")
        with ThreadPoolExecutor(max_workers=1) as executor:
            executor.submit(asyncio.run, migrate(cluster.url(TEMPLATE))).result()
        yield cluster
    finally:
        if server is not None:
            server.terminate()
            try:
                server.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _await_start(cluster: PostgresqlCluster, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline_s = time.monotonic() + START_S_MAX
    while True:
        try:
            cluster.administer("SELECT 1")
            return
        except (OSError, asyncpg.PostgresError):
            if server.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')}") from None
            time.sleep(0.02)
