"""A pytest plug-in that collects the tests once and runs them in forked processes (workers).

`pytest -p tests.harness.forked_workers --workers 4` runs whole test files in four workers, and with `--by-test` single
tests. Collection takes 17 s of processor time. Each worker of pytest-xdist collects all tests itself, so that four of
them need a minute of the two cores before the first test runs. A forked worker has all tests from its start.

The queue is a pipe with the numbers of the test files in the order of the run. The process of pytest fills it before
the fork, and each worker reads its next number when it begins the last test of a file: pytest must know the next test
to decide which fixtures end. A worker sends its reports through a pipe of its own. The process of pytest passes them to
the hooks, so all output is that of a run without workers.

If a worker dies, its current test fails and the rest of the file is not run. Fixtures of the scope `session` belong to
a worker; its `PYTEST_XDIST_WORKER` is set, as for a worker of pytest-xdist, since plug-ins know that name.
"""

import atexit
import os
import struct
import sys
import traceback
import warnings
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from _pytest import runner
from _pytest._io import TerminalWriter

_NUMBER = struct.Struct("<H")
_QUEUE_BYTES_MAX = 64 * 1024
"""The capacity of a pipe. A write of more would block."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of this plug-in."""
    options = parser.getgroup("forked workers")
    options.addoption("--workers", type=int, default=0, metavar="COUNT", help="run the tests in COUNT forked processes")
    options.addoption("--by-test", action="store_true", help="give a worker a single test, and not a whole file")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run all tests in workers, unless there is nothing to run or no worker is wanted."""
    count: int = session.config.getoption("--workers")
    if count == 0 or session.config.option.collectonly or session.testsfailed:
        return None
    run_in_workers(session, count)
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)
    return True


def _groups(session: pytest.Session) -> list[list[pytest.Item]]:
    """Return the tests in the groups that a worker takes from the queue: those of one file, or a single test."""
    groups: list[list[pytest.Item]] = []
    by_test: bool = session.config.getoption("--by-test")
    for item in session.items:
        if by_test or not groups or groups[-1][0].path != item.path:
            groups.append([])
        groups[-1].append(item)
    return groups


@dataclass
class _Worker:
    """A running worker, as the process of pytest knows it."""

    pid: int
    current: tuple[str, Any] = ("no test", ("", None, ""))
    """Node id and location of the last test that began."""


def run_in_workers(session: pytest.Session, count: int) -> None:
    """Fork the workers, pass their reports to the hooks, and return when all of them have ended."""
    groups = _groups(session)
    queue, filled = os.pipe()
    numbers = b"".join(map(_NUMBER.pack, range(len(groups))))
    assert len(numbers) <= _QUEUE_BYTES_MAX
    os.write(filled, numbers)
    os.close(filled)
    workers: dict[Connection, _Worker] = {}
    temporary_files(session.config)  # makes the folder, which all workers share
    sys.stdout.flush()
    sys.stderr.flush()
    for number in range(count):
        reader, writer = Pipe(duplex=False)
        pid = os.fork()
        if pid == 0:
            _ForkedSession(session, groups, queue, writer).run(number)
        writer.close()
        workers[reader] = _Worker(pid)
    try:
        while workers:
            for reader in wait(list(workers)):
                assert isinstance(reader, Connection)
                if not _receive(session, reader, workers[reader]):
                    del workers[reader]
            if session.shouldfail or session.shouldstop:
                os.read(queue, _QUEUE_BYTES_MAX)  # leaves nothing to the workers
    finally:
        os.close(queue)
        for reader, worker in workers.items():  # after an interruption, which the terminal sends to all processes
            reader.close()
            os.waitpid(worker.pid, 0)


def temporary_files(config: pytest.Config) -> Path:
    """Return the folder of the temporary files of this process; the first call makes it."""
    factory: Any = config._tmp_path_factory
    folder: Path = factory.getbasetemp()
    return folder


def _receive(session: pytest.Session, reader: Connection, worker: _Worker) -> bool:
    """Pass one message of a worker to the hooks; return whether the worker is still running."""
    hook = session.config.hook
    try:
        kind, content = reader.recv()
    except EOFError:
        kind, content = "end", None
    if kind == "start":
        worker.current = content
        hook.pytest_runtest_logstart(nodeid=content[0], location=content[1])
    elif kind == "finish":
        hook.pytest_runtest_logfinish(nodeid=content[0], location=content[1])
    elif kind == "report":
        report = hook.pytest_report_from_serializable(config=session.config, data=content)
        hook.pytest_runtest_logreport(report=report)
    elif kind == "warning":
        hook.pytest_warning_recorded.call_historic(kwargs=content)
    else:
        reader.close()
        _, status = os.waitpid(worker.pid, 0)
        if status:
            hook.pytest_runtest_logreport(report=_death(worker, status, content))
        return False
    return True


def _death(worker: _Worker, status: int, error: str | None) -> pytest.TestReport:
    """Return a report which states that the worker died during its current test."""
    nodeid, location = worker.current
    reason = error or f"the worker process died (status {os.waitstatus_to_exitcode(status)})"
    text = f"{reason}\nThe tests that follow in this file did not run."
    return pytest.TestReport(nodeid, location, {}, "failed", text, "call")


class _ForkedSession:
    """The session of pytest in a forked worker: runs the groups that it takes from the queue, and sends reports."""

    def __init__(
        self, session: pytest.Session, groups: list[list[pytest.Item]], queue: int, writer: Connection
    ) -> None:
        self._session = session
        self._config = session.config
        self._groups = groups
        self._queue = queue
        self._writer = writer

    def run(self, number: int) -> NoReturn:
        """Run groups until the queue is empty, and end the process."""
        error = None
        try:
            self._separate(number)
            self._run_groups()
        except BrokenPipeError:
            error = "the process of pytest has ended"
        except BaseException:
            error = traceback.format_exc()
        with suppress(BaseException):
            runner.pytest_sessionfinish(self._session)
        with suppress(BaseException):
            self._writer.send(("end", error))
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0 if error is None else 1)

    def _separate(self, number: int) -> None:
        """Replace what two processes must not share: the folder of temporary files, captured output, the terminal."""
        os.environ["PYTEST_XDIST_WORKER"] = name = f"gw{number}"
        plugins = self._config.pluginmanager
        factory: Any = self._config._tmp_path_factory
        factory._basetemp = temporary_files(self._config) / name
        factory._basetemp.mkdir()
        capture: Any = plugins.getplugin("capturemanager")
        capture.stop_global_capturing()  # writes to files, whose positions all workers would share
        capture.start_global_capturing()
        capture.suspend_global_capture()
        plugins.unregister(name="terminalreporter")
        # Where the plug-in of timeouts writes the stacks of threads.
        plugins.register(SimpleNamespace(_tw=TerminalWriter(sys.stderr)), "terminalreporter")
        plugins.register(self, "forked worker")

    def _run_groups(self) -> None:
        following = self._next_group()
        while group := following:
            for item, nextitem in zip(group, [*group[1:], None], strict=True):
                if nextitem is None:
                    following = self._next_group()
                    nextitem = following[0] if following else None
                self._config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
                if self._session.shouldfail or self._session.shouldstop:
                    return

    def _next_group(self) -> list[pytest.Item]:
        """Take the next group from the queue; it is empty if the queue is."""
        taken = os.read(self._queue, _NUMBER.size)
        return self._groups[_NUMBER.unpack(taken)[0]] if taken else []

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        self._writer.send(("start", (nodeid, location)))

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        self._writer.send(("finish", (nodeid, location)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._writer.send(("report", data))

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: Any
    ) -> None:
        # As text, since not every warning can be pickled.
        message, category = str(warning_message.message), warning_message.category.__name__
        plain = warnings.WarningMessage(
            f"{category}: {message}", UserWarning, warning_message.filename, warning_message.lineno
        )
        self._writer.send(("warning", {"warning_message": plain, "when": when, "nodeid": nodeid, "location": location}))
