"""A real PostgreSQL server for tests, started once per session, with a separate database for each test.

It listens only on a Unix socket in a temporary directory. Each worker of a parallel test run has its own server; the
first worker prepares the data files, the others copy them. The session's server does not wait for the disk
(`fsync = off`), since only a power cut would reveal the difference. A test of durability switches the waiting on
(`PostgresqlCluster.durable`) or runs its own server. Autovacuum is off, since its work falls into any test by chance; a
measurement of what an installation costs switches it on. PostgreSQL refuses to run as root, so tests that run as root
start it as the account `postgres`. If the test process is killed, the kernel stops the server (`setpriv --pdeathsig`).
Tests are skipped where PostgreSQL is not installed.
"""

import asyncio
import fcntl
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
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


# A cleaned database is used again, since creating one copies a thousand files. Its own files grow, so not for ever.
USES_MAX = 50

_EMPTY = """
DO $$ DECLARE name text; BEGIN
    SET LOCAL synchronous_commit = off;
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
                AND relname NOT IN ('alembic_version', 'schema_revision') AND pg_relation_size(oid) > 0 LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
    PERFORM setval(oid, 1, false) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace;
END $$
"""
# A server that does not wait for the disk has no use for the parts of the log that repair torn pages or feed replicas.
_NO_DISK = """
fsync = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
wal_init_zero = off
"""
_OTHERS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
# Properties that a test may have changed besides rows: where they differ from the template's, the database is dropped.
_SHAPE = """
SELECT (SELECT string_agg(version_num, ',') FROM alembic_version),
       (SELECT string_agg(version_num, ',') FROM schema_revision),
       (SELECT string_agg(oid::text || ':' || relnatts, ',' ORDER BY oid) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace),
       (SELECT string_agg(tgname::text || tgenabled::text, ',' ORDER BY oid) FROM pg_trigger WHERE NOT tgisinternal)
"""


class KeptConnections:
    """One connection to each database that is cleaned between tests, kept open on the event loop of a thread.

    A new connection costs ten times as much as the cleaning: the server forks, and loads the catalog of every table.
    """

    def __init__(self, socket_folder: Path) -> None:
        self._socket_folder = socket_folder
        self._connections: dict[str, asyncpg.Connection[Any]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def emptied(self, database: str) -> list[Any] | None:
        """Delete every row of the database and return its shape, or None if another connection is still open."""
        work = asyncio.run_coroutine_threadsafe(self._emptied(database), self._loop)
        return work.result()

    async def _emptied(self, database: str) -> list[Any] | None:
        connection = self._connections.get(database)
        if connection is None or connection.is_closed():
            connection = await asyncpg.connect(user=ACCOUNT, database=database, host=str(self._socket_folder))
            self._connections[database] = connection
        if await connection.fetch(_OTHERS):
            return None
        await connection.execute(_EMPTY)
        rows: list[Any] = await connection.fetch(_SHAPE)
        return rows

    def close(self) -> None:
        """Close the connections and end the thread."""
        for connection in self._connections.values():
            self._loop.call_soon_threadsafe(connection.terminate)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class PostgresqlCluster:
    """One PostgreSQL server, to be started with `start`. Its data files and its socket are in `folder`."""

    def __init__(self, folder: Path, bin_folder: Path, kept: KeptConnections, *, autovacuum: bool) -> None:
        self.socket_folder = folder
        self._bin_folder = bin_folder
        self._autovacuum = autovacuum
        self._server: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._kept = kept
        self._clean: list[str] = []
        self._uses: Counter[str] = Counter()

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._server is not None
        return self._server.pid

    def start(self) -> None:
        """Start the server and return when it accepts connections; after `crash` or `stop`, start the same server
        again."""
        log_file = self.socket_folder / "server.log"
        command = _server_command(self._bin_folder / "postgres", self.socket_folder, autovacuum=self._autovacuum)
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
    def database(self, *, template: str = TEMPLATE, is_new: bool = False) -> Iterator[str]:
        """Yield the URL of a database for one test; it is migrated unless `template` is `template0`. `is_new`: no other
        test uses it, before or after, so the pages of deleted rows do not change the planner's costs."""
        is_shared = template == TEMPLATE and not is_new
        name = self._clean.pop() if self._clean and is_shared else self._create(template)
        try:
            yield self.url(name)
        finally:
            self._uses[name] += 1
            if is_shared and self._uses[name] < USES_MAX and self._emptied(name):
                self._clean.append(name)
            else:
                self.administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _create(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        # From version 15 on, the default strategy writes the whole template to the log, at three times the cost.
        strategy = " STRATEGY FILE_COPY" if _version(self._bin_folder) >= 15 else ""
        self.administer(f"CREATE DATABASE {name} TEMPLATE {template}{strategy}")
        return name

    def _emptied(self, name: str) -> bool:
        """Delete every row of the database `name`, so that another test can use the database.

        Return False if the database cannot be reused: the test changed the schema or left a connection open.
        """
        shape = self._shape()  # outside of `try`: an error in the statement would drop every database
        try:
            return self._kept.emptied(name) == shape
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            return False  # the test may have ended our connection too

    @cache  # noqa: B019  one cluster a session
    def _shape(self) -> list[Any]:
        return self.administer(_SHAPE, database=TEMPLATE)


def programs() -> Path | None:
    """Return the program folder of the newest installed PostgreSQL, None if none is installed."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(found, key=_version, default=None)


def _version(bin_folder: Path) -> int:
    return int(bin_folder.parts[-2])


def _as_postgres(*command: str) -> list[str]:
    """Return the command to execute; for root, it is wrapped to run as the account `postgres`."""
    return ["runuser", "-u", ACCOUNT, "--", *command] if os.geteuid() == 0 else list(command)


def _server_command(server: Path, folder: Path, *, autovacuum: bool) -> list[str]:
    # setpriv replaces itself by the server, so that the server is our child and dies with us.
    account = ["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups"] if os.geteuid() == 0 else []
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "max_connections": "200",
        "shared_buffers": "64MB",
        "autovacuum": "on" if autovacuum else "off",
        "log_min_messages": "fatal",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return ["setpriv", *account, "--pdeathsig", "QUIT", str(server), "-D", str(folder / "data"), *options]


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresqlCluster]:
    """Run the server that all tests of the session use; it has a migrated template database."""
    # The temporary directories of parallel workers have one parent.
    shared = tmp_path_factory.getbasetemp().parent / "postgresql" if "PYTEST_XDIST_WORKER" in os.environ else None
    with postgresql_running(durable=False, prepared=shared) as cluster:
        yield cluster


@contextmanager
def postgresql_running(
    *, durable: bool = True, autovacuum: bool = False, prepared: Path | None = None
) -> Iterator[PostgresqlCluster]:
    """Run a server with a migrated template database, and stop it after the block; for a fixture or a benchmark.

    Without `durable`, commits do not wait for the disk. With `autovacuum`, the server vacuums and analyses tables by
    itself, as in an installation. The data files are copied from the folder `prepared` if it is given; the first
    process that needs the folder fills it.
    """
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="argus-pg-"))
    data = folder / "data"
    with closing(KeptConnections(folder)) as kept:
        cluster = PostgresqlCluster(folder, bin_folder, kept, autovacuum=autovacuum)
        try:
            if os.geteuid() == 0:
                shutil.chown(folder, ACCOUNT, ACCOUNT)
            if prepared is None:
                _prepare(cluster, data, bin_folder, durable=durable)
            else:
                with _locked(prepared):
                    if not (prepared / "data").exists():
                        _prepare(cluster, data, bin_folder, durable=durable)
                        cluster.stop()
                        _copy(data, prepared / "data")
                    else:
                        _copy(prepared / "data", data)
                cluster.start()
            yield cluster
        finally:
            cluster.stop()
            shutil.rmtree(folder, ignore_errors=True)


def _prepare(cluster: PostgresqlCluster, data: Path, bin_folder: Path, *, durable: bool) -> None:
    """Create the data files, start the server and migrate the template database."""
    initdb = ("-D", str(data), "-U", ACCOUNT, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
    subprocess.run(_as_postgres(str(bin_folder / "initdb"), *initdb), check=True, capture_output=True, cwd="/")
    with (data / "postgresql.conf").open("a") as settings:
        settings.write("fsync = on\n" if durable else _NO_DISK)
    cluster.start()
    cluster.administer(f"CREATE DATABASE {TEMPLATE}")
    with ThreadPoolExecutor(max_workers=1) as executor:
        executor.submit(asyncio.run, migrate(cluster.url(TEMPLATE), create=True)).result()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock of the folder, which is created if absent, against other processes."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _copy(source: Path, target: Path) -> None:
    # With owners and modes, on which the server insists.
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


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
