"""A real PostgreSQL server for tests, started once per session, with a separate database for each test.

It listens only on a Unix socket in a temporary directory. Each worker of a parallel test run has its own server. The
session's server does not wait for the disk (`fsync = off`), since only a power cut would reveal the difference. A test
of durability switches the waiting on (`PostgresqlCluster.durable`) or runs its own server. PostgreSQL refuses to run as
root, so tests that run as root start it as the account `postgres`. If the test process is killed, the kernel stops the
server (`setpriv --pdeathsig`). Tests are skipped where PostgreSQL is not installed.
"""

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cloud.foundation.db import migrate
from tests.harness.eventually import until

ACCOUNT = "postgres"
TEMPLATE = "argus_template"
# For a disk that is busy with something else: at a start every file is synced, before the end all that was written.
START_S_MAX = 180.0
STOP_S_MAX = 120.0


# A cleaned database is used again, since making one costs a third of a second on a busy disk. Its files grow, so
# not for ever.
USES_MAX = 50

_EMPTY = """
DO $$ DECLARE name text; BEGIN
    SET LOCAL synchronous_commit = off;
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
    PERFORM setval(oid, 1, false) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace;
END $$
"""
_OTHERS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
# Properties that a test may have changed besides rows: where they differ from the template's, the database is dropped.
_SHAPE = """
SELECT (SELECT string_agg(version_num, ',') FROM alembic_version),
       (SELECT string_agg(oid::text || ':' || relnatts, ',' ORDER BY oid) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace)
"""


class PostgresqlCluster:
    """One PostgreSQL server, to be started with `start`. Its data files and its socket are in `folder`."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self.socket_folder = folder
        self._bin_folder = bin_folder
        self._server: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._clean: list[str] = []
        self._uses: Counter[str] = Counter()

    def start(self) -> None:
        """Start the server and return when it accepts connections; after `crash` or `stop`, start the same server
        again."""
        log_file = self.socket_folder / "server.log"
        command = _server_command(self._bin_folder / "postgres", self.socket_folder / "data", self.socket_folder)
        with log_file.open("ab") as log:
            self._server = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
        _await_start(self, self._server, log_file)

    def crash(self) -> None:
        """End the server without a checkpoint (SIGQUIT): the next start recovers from the log, as after a power cut."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """Stop the server without waiting for its clients (SIGINT); kill it if it has not ended after `STOP_S_MAX`."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        server.send_signal(how)
        try:
            server.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    def url(self, database: str) -> str:
        """Return the URL of a database on this server, in the form of the cloud's setting `database_url`."""
        return f"postgresql://{ACCOUNT}@/{database}?host={self.socket_folder}"

    def administer(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Execute statements as the server's administrator, without a common transaction; return the rows of the last
        one."""
        # In a thread with a loop of its own: the caller's thread may be running a test's loop.
        with ThreadPoolExecutor(max_workers=1) as executor:
            return executor.submit(asyncio.run, self._administer(statements, database)).result()

    async def _administer(self, statements: Sequence[str], database: str) -> list[Any]:
        connection = await asyncpg.connect(user=ACCOUNT, database=database, host=str(self.socket_folder))
        try:
            rows: list[Any] = []
            for statement in statements:
                rows = await connection.fetch(statement)
        finally:
            await connection.close()
        return rows

    @contextmanager
    def durable(self) -> Iterator[None]:
        """Let every commit wait for the disk during the block, as in an installation."""
        self.administer("ALTER SYSTEM SET fsync = on", "SELECT pg_reload_conf()")
        try:
            until(lambda: self.administer("SHOW fsync") == [("on",)], what="a server that waits for the disk")
            yield
        finally:
            self.administer("ALTER SYSTEM RESET fsync", "SELECT pg_reload_conf()")

    @contextmanager
    def database(self, *, template: str = TEMPLATE) -> Iterator[str]:
        """Yield the URL of a database for one test; it is migrated unless `template` is `template0`."""
        name = self._clean.pop() if self._clean and template == TEMPLATE else self._create(template)
        try:
            yield self.url(name)
        finally:
            self._uses[name] += 1
            if template == TEMPLATE and self._uses[name] < USES_MAX and self._emptied(name):
                self._clean.append(name)
            else:
                self.administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _create(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        self.administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def _emptied(self, name: str) -> bool:
        """Delete every row of the database `name`, so that another test can use the database.

        Return False if the database cannot be reused: the test changed the schema or left a connection open.
        """
        try:
            left = self.administer(_OTHERS, database=name)
            return not left and self.administer(_EMPTY, _SHAPE, database=name) == self._shape()
        except asyncpg.PostgresError:
            return False

    @cache  # noqa: B019  one cluster a session
    def _shape(self) -> list[Any]:
        return self.administer(_SHAPE, database=TEMPLATE)


def programs() -> Path | None:
    """Return the program folder of the newest installed PostgreSQL, None if none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def _as_postgres(*command: str) -> list[str]:
    """Return the command to execute; for root, it is wrapped to run as the account `postgres`."""
    return ["runuser", "-u", ACCOUNT, "--", *command] if os.geteuid() == 0 else list(command)


def _server_command(server: Path, data: Path, sockets: Path) -> list[str]:
    # setpriv replaces itself by the server, so that the server is our child and dies with us.
    account = ["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups"] if os.geteuid() == 0 else []
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "max_connections": "200",
        "shared_buffers": "64MB",
        "autovacuum": "off",
        "log_min_messages": "fatal",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return ["setpriv", *account, "--pdeathsig", "QUIT", str(server), "-D", str(data), *options]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlCluster]:
    """Run the server that all tests of the session use; it has a migrated template database."""
    with postgresql_running(durable=False) as cluster:
        yield cluster


@contextmanager
def postgresql_running(*, durable: bool = True) -> Iterator[PostgresqlCluster]:
    """Run a server with a migrated template database, and stop it after the block; for a fixture or a benchmark.

    Without `durable`, commits do not wait for the disk.
    """
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="argus-pg-"))
    cluster = PostgresqlCluster(folder, bin_folder)
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, ACCOUNT, ACCOUNT)
        data = folder / "data"
        initdb = ("-D", str(data), "-U", ACCOUNT, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        subprocess.run(_as_postgres(str(bin_folder / "initdb"), *initdb), check=True, capture_output=True, cwd="/")
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(f"fsync = {'on' if durable else 'off'}\n")
        cluster.start()
        cluster.administer(f"CREATE DATABASE {TEMPLATE}")
        with ThreadPoolExecutor(max_workers=1) as executor:
            executor.submit(asyncio.run, migrate(cluster.url(TEMPLATE), create=True)).result()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _await_start(cluster: PostgresqlCluster, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline_s = time.monotonic() + START_S_MAX
    while True:
        try:
            cluster.administer("SELECT 1")
            return
        except (OSError, asyncpg.PostgresError):
            if server.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}") from None
            time.sleep(0.02)
