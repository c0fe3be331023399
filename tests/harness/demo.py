"""The whole product as real processes: `argus-sim demo --headless`, started and queried in the way of a script."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.harness.eventually import eventually

READY_S = 120.0
STOP_S = 90.0
QUESTION_S = 120.0


def program(name: str) -> str:
    """Return the path of one of our console scripts, from the environment that runs the tests."""
    return str(Path(sys.executable).with_name(name))


class DemoFailed(AssertionError):
    """The demo or a command beside it did not do what was asked; says what it printed."""


@dataclass
class RunningDemo:
    """A running demo. `facts` is the content of `demo.json`, read again for each use since pids change."""

    state_dir: Path
    process: asyncio.subprocess.Process
    log_file: Path
    _stopped: bool = field(default=False)

    @property
    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads((self.state_dir / "demo.json").read_text())
        return facts

    def pid(self, part: str) -> int:
        return int(self.facts["pids"][part])

    async def kill(self, part: str, within_s: float = 10.0) -> None:
        """Send SIGKILL to a part, which cannot clean up, as in a power cut.

        Wait for a part that is being restarted, so that each kill meets a living process.
        """

        def struck() -> bool:
            pid = self.pid(part)
            if pid == 0:  # a pid of 0 would signal our own process group
                return False
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return False
            return True

        await eventually(struck, within_s=within_s, what=f"a living {part} to kill")

    async def ended(self, within_s: float = STOP_S) -> int:
        """Wait until the demo ends by itself (it was started with `--for`)."""
        try:
            async with asyncio.timeout(within_s):
                code = await self.process.wait()
        except TimeoutError:
            raise DemoFailed(f"the demo did not end within {within_s} s:\n{self.tail()}") from None
        self._stopped = True
        return code

    async def stop(self) -> None:
        if self._stopped or self.process.returncode is not None:
            return
        self.process.terminate()
        code = await self.ended()
        if code != 0:
            raise DemoFailed(f"the demo ended with {code}:\n{self.tail()}")

    def tail(self) -> str:
        logs = [self.log_file, *sorted((self.state_dir / "log").glob("*.log"))]
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in logs if log.exists())

    async def exported(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the observations in the cloud, in the form of DESIGN §5."""
        config = str(self.state_dir / "cloud.toml")
        text = await run(program("argus-cloud"), "--config", config, "observations", "export", *arguments, "--json")
        return [json.loads(line) for line in text.splitlines()]


async def run(*argv: str, within_s: float = QUESTION_S, expect: int = 0) -> str:
    """Run a command to its end and return its output; raise `DemoFailed` when its exit code is another."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(within_s):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise DemoFailed(f"{argv[0]} did not end within {within_s} s") from None
    if process.returncode != expect:
        raise DemoFailed(f"{' '.join(argv)} ended with {process.returncode}:\n{err.decode()[-3000:]}")
    return out.decode()


async def start_demo(state_dir: Path, *arguments: str, within_s: float = READY_S) -> RunningDemo:
    """Start a demo and return when `demo.json` shows that everything is ready."""
    state_dir.mkdir(parents=True, exist_ok=True)
    log_file = state_dir.with_name(state_dir.name + ".demo.log")
    (state_dir / "demo.json").unlink(missing_ok=True)
    with log_file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            program("argus-sim"), "demo", "--headless", "--state", str(state_dir), *arguments, stdout=log, stderr=log
        )
    demo = RunningDemo(state_dir, process, log_file)
    try:
        async with asyncio.timeout(within_s):
            while not (state_dir / "demo.json").exists():
                if process.returncode is not None:
                    raise DemoFailed(f"the demo ended with {process.returncode} before it was ready:\n{demo.tail()}")
                await asyncio.sleep(0.1)
    except TimeoutError:
        tail = demo.tail()
        await demo.stop()
        raise DemoFailed(f"the demo was not ready within {within_s} s:\n{tail}") from None
    return demo


def samples_in_order(rows: Sequence[dict[str, Any]], type_name: str) -> list[int]:
    """Return the raw samples of one channel, report after report."""
    return [sample for row in rows if row["type"] == type_name for sample in row["samples"]]


def lanes(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[tuple[str, str, str], list[dict[str, Any]]]]:
    """Group rows by (device, epoch, lane), each in the order of its identity (sequence, index)."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["device"]["system_id"], row["epoch"], row["lane"]), []).append(row)
    for key, members in sorted(found.items()):
        yield key, sorted(members, key=lambda row: (row["sequence"], row["index"]))
