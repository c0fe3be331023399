"""The programs of the release before and of this one, side by side over one database.

The code of the release before comes from the repository's history into a folder of its own. Its programs run in the
environment of the tests, with this folder in front of the installed code.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from simulators.demo.free_ports import free_port
from tests.harness.cloud_command import argus_cloud
from tests.harness.eventually import eventually
from tests.harness.running_cloud import HOSTS
from tests.tidy.sources import ROOT

COMMIT_BEFORE = "449e28c3"
"""The commit of the release before. Its newest migration is `RELEASE_BEFORE`."""
FOLDERS = ("cloud", "gateway", "protocols", "simulators", "tests/__init__.py", "tests/builders")
START_S_MAX = 120.0
STOP_S_MAX = 60.0
COMMAND_S_MAX = 600.0


@dataclass(frozen=True)
class Release:
    """The programs of one release. `name` is for file names and messages; `environment` selects its code."""

    name: str
    environment: Mapping[str, str]

    async def run(self, program: str, *words: str) -> str:
        """Run a program of this release, which must succeed; return its output."""
        process = await self.start(program, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        async with asyncio.timeout(COMMAND_S_MAX):
            out, err = await process.communicate()
        assert process.returncode == 0, f"{self.name}: {program} {' '.join(words)}: {err.decode()[-3000:]}"
        return out.decode()

    async def start(self, program: str, *words: str, stdout: Any, stderr: Any) -> asyncio.subprocess.Process:
        """Start a program: a module of this release, or a Python file."""
        what = (program,) if program.endswith(".py") else ("-c", f"from {program} import main; main()")
        return await asyncio.create_subprocess_exec(
            sys.executable, "-P", *what, *words, stdout=stdout, stderr=stderr, env={**os.environ, **self.environment}
        )


THIS = Release("this release", {"PYTHONPATH": str(ROOT)})


def release_before(folder: Path) -> Release:
    """Put the code of the release before into a folder; return its programs. Skip the test where the repository does
    not have the commit, as in a shallow clone."""
    archived = subprocess.run(["git", "archive", COMMIT_BEFORE, *FOLDERS], cwd=ROOT, capture_output=True, check=False)
    if archived.returncode != 0:
        pytest.skip(f"the repository has no commit {COMMIT_BEFORE}: git fetch --unshallow")
    with tarfile.open(fileobj=BytesIO(archived.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return Release("the release before", {"PYTHONPATH": str(folder)})


@dataclass
class Service:
    """A running `argus-cloud serve` of one release, with its settings file and its log."""

    release: Release
    config: Path
    log: Path
    process: asyncio.subprocess.Process

    async def stop(self) -> None:
        """Stop the service in order (SIGTERM) and wait until it has ended."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(STOP_S_MAX):
                await self.process.wait()


@dataclass(frozen=True)
class Installation:
    """One database, broker and master key that services of both releases use. `mqtt` is the section of the settings,
    and `top` has settings without a section."""

    folder: Path
    database_url: str
    mqtt: str = ""
    top: str = ""

    def config(self, name: str) -> Path:
        """Write a settings file with free ports for the hosts, as each process needs; return its path."""
        hosts = "".join(
            f'[hosts.{host}]\nlisten = "127.0.0.1:{(port := free_port())}"\npublic_url = "http://localhost:{port}"\n'
            for host in HOSTS
        )
        path = self.folder / f"{name}.toml"
        secrets = f'[secrets]\nmaster_key_file = "{self.folder / "master.key"}"\n'
        path.write_text(f'database_url = "{self.database_url}"\n{self.top}{hosts}{secrets}{self.mqtt}')
        return path

    async def console(self, release: Release, *words: str) -> Any:
        """Run an `argus-cloud` command of a release (this one: in the test's process); return its JSON output."""
        config = self.config("console")
        if release is THIS:
            return json.loads(await asyncio.to_thread(argus_cloud, config, *words, "--json"))
        return json.loads(await release.run("cloud.cli", "--config", str(config), *words, "--json"))

    async def serve(self, release: Release, name: str) -> Service:
        """Start `argus-cloud serve` of a release, and return when it is ready."""
        config, log = self.config(name), self.folder / f"{name}.log"
        with log.open("wb") as file:
            process = await release.start("cloud.cli", "--config", str(config), "serve", stdout=file, stderr=file)
        service = Service(release, config, log, process)

        def is_up() -> bool:
            assert process.returncode is None, log.read_text()[-3000:]
            text = log.read_text()
            return "cloud.started" in text and "ingest.broker_connected" in text

        await eventually(is_up, within_s=START_S_MAX, poll_s=0.05, what=f"{release.name} serves")
        return service
