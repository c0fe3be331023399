"""Processes of the demo: start each, and restart each that ends.

Each part of the demo is a separate process, so that killing one is a real fault. A process that ends is restarted after
a short pause, well within the three seconds that DESIGN §5 promises, and `demo.json` is rewritten with its new pid. The
kernel ends the processes if the demo is killed. Log files are limited while a process runs.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

RESTART_PAUSE_S = 0.5
STOP_S = 25.0
"""Longer than the cloud, the slowest process, takes to stop in order."""
LOG_BYTES_MAX = 8 * 1024 * 1024
"""Limit of a log file. A longer log is emptied, and its last `LOG_BYTES_MAX` are kept in one second file."""
LOOK_AT_LOGS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """Parameters for the start of one process."""

    name: str
    argv: tuple[str, ...]
    log_file: Path
    inherits: tuple[int, ...] = ()


class Child:
    """One process of the demo. `pid` is 0 before the first start and between restarts."""

    def __init__(self, recipe: Recipe, changed: Callable[[], None]) -> None:
        self.recipe = recipe
        self.starts = 0
        self.pid = 0
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    async def run(self) -> None:
        """Start the process, and restart it each time it ends, until `stop` is called."""
        while not self._stopping:
            await self._start()
            assert self._process is not None
            await self._process.wait()
            self.pid = 0
            if not self._stopping:
                await asyncio.sleep(RESTART_PAUSE_S)

    async def _start(self) -> None:
        log = self.recipe.log_file
        bound_log(log)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *_ending_with_us(),
                *self.recipe.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                # Ctrl-C in the terminal must not reach the process: the demo stops it in order.
                start_new_session=True,
                pass_fds=self.recipe.inherits,
            )
        finally:
            os.close(descriptor)
        self.pid = self._process.pid
        self.starts += 1
        self._changed()

    async def stop(self) -> None:
        """Terminate the process (SIGTERM), and kill it if it has not ended after `STOP_S`."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _ending_with_us() -> tuple[str, ...]:
    """Return the command prefix (`setpriv` of util-linux) that makes the kernel terminate the process when the demo
    dies. `setpriv` executes the command in its own process, so the pid stays the same. The prefix is empty if `setpriv`
    is not installed."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()


def bound_log(log: Path, limit_bytes: int = LOG_BYTES_MAX) -> None:
    """Empty a log file that is longer than `limit_bytes`; keep its last `limit_bytes` in a second file. The writing
    process need not reopen the log, since it appends."""
    size = log.stat().st_size if log.exists() else 0
    if size <= limit_bytes:
        return
    with log.open("rb+") as file:
        file.seek(size - limit_bytes)
        log.with_suffix(".log.1").write_bytes(file.read(limit_bytes))
        file.truncate(0)


class Children:
    """All processes of the demo, started in the order in which they were added, and stopped in reverse order."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._children: list[tuple[Child, asyncio.Task[None]]] = []
        self._watching: asyncio.Task[None] | None = None

    def add(self, recipe: Recipe, tasks: asyncio.TaskGroup) -> Child:
        child = Child(recipe, self._changed)
        self._children.append((child, tasks.create_task(child.run(), name=f"child {recipe.name}")))
        return child

    def watch_logs(self, tasks: asyncio.TaskGroup) -> None:
        """Keep every log file within its limit, from now until `stop`."""
        self._watching = tasks.create_task(self._bound_logs(), name="logs")

    async def _bound_logs(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AT_LOGS_EVERY_S)
            for child in self:
                bound_log(child.recipe.log_file)

    def pid(self, name: str) -> int:
        return next((child.pid for child, _ in self._children if child.recipe.name == name), 0)

    def __iter__(self) -> Iterator[Child]:
        return iter([child for child, _ in self._children])

    async def stop(self) -> None:
        for child, task in reversed(self._children):
            await child.stop()
            task.cancel()
        if self._watching is not None:
            self._watching.cancel()
