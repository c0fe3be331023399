"""Runs the demo's processes and restarts those that end.

Each part is a real process of its own, so that killing one is a real fault. A child that ends is restarted after a
short pause, well within the three seconds that DESIGN §5 promises, and its new pid is reported to the writer of
`demo.json`. The children end with us even when we are killed: the kernel signals them. Does not depend on what the
children do.

Logs are bounded while a child runs, too: a part that logs much must not fill the user's disk.
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
"""More than the slowest part, the cloud, allows itself for an orderly end."""
LOG_BYTES_MAX = 8 * 1024 * 1024
"""A log longer than this is restarted; that much of its end is kept once, beside it."""
LOOK_AT_LOGS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """Parameters of one part: its name, its command, its log file, and the descriptors that it inherits."""

    name: str
    argv: tuple[str, ...]
    log_file: Path
    inherits: tuple[int, ...] = ()


class Child:
    """One part of the demo. `pid` is 0 while it does not run; `starts` counts how often it was started."""

    def __init__(self, recipe: Recipe, changed: Callable[[], None]) -> None:
        self.recipe = recipe
        self.starts = 0
        self.pid = 0
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    async def run(self) -> None:
        """Start it, and restart it each time it ends, until `stop`."""
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
                # A Ctrl-C in the terminal is ours to turn into an orderly stop.
                start_new_session=True,
                pass_fds=self.recipe.inherits,
            )
        finally:
            os.close(descriptor)
        self.pid = self._process.pid
        self.starts += 1
        self._changed()

    async def stop(self) -> None:
        """Terminate it, then kill it after a time limit."""
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
    """Return util-linux's command that requests a signal at our death; it replaces itself by the command, so the pid is
    the child's."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()


def bound_log(log: Path, limit_bytes: int = LOG_BYTES_MAX) -> None:
    """Truncate a log that is too long while its process writes: the process appends, so it continues at the new
    beginning."""
    size = log.stat().st_size if log.exists() else 0
    if size <= limit_bytes:
        return
    with log.open("rb+") as file:
        file.seek(size - limit_bytes)
        log.with_suffix(".log.1").write_bytes(file.read(limit_bytes))
        file.truncate(0)


class Children:
    """All parts, started in the order they were added and stopped in the reverse one."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._children: list[tuple[Child, asyncio.Task[None]]] = []
        self._watching: asyncio.Task[None] | None = None

    def add(self, recipe: Recipe, tasks: asyncio.TaskGroup) -> Child:
        child = Child(recipe, self._changed)
        self._children.append((child, tasks.create_task(child.run(), name=f"child {recipe.name}")))
        return child

    def watch_logs(self, tasks: asyncio.TaskGroup) -> None:
        """Keep every log within its limit, from now until `stop`."""
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
