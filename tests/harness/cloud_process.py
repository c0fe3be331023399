"""`argus-cloud serve` as a separate process, and its log lines."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.harness.eventually import eventually

START_S_MAX = 120.0
"""Limit for a process that never starts. A start takes 2 s of processor time, and took a minute on a machine with ten
busy processes for each core."""


class Served:
    """A running `argus-cloud serve` and the log lines that it has written so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    async def read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(json.loads(line))

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]

    def address(self, host: str) -> str:
        return next(line["address"] for line in self.lines if line.get("host") == host)


@asynccontextmanager
async def serving(config: Path, *words: str, **environment: str) -> AsyncIterator[Served]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from cloud.cli import main; main()",
        *("--config", str(config), "serve", *words),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    served = Served(process)
    reading = asyncio.create_task(served.read())
    try:
        await eventually(
            lambda: "cloud.started" in served.events() or process.returncode is not None, within_s=START_S_MAX
        )
        yield served
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def get(url: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        return answer.status, await answer.json(content_type=None)
