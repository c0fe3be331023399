"""The npm package `argus-sdk`: built from its source, packed, and installed from the tarball into a new project.

Everything is offline. The packages that it depends on come from `sdk/typescript/node_modules`, where `.ci/setup`
installed them with their hashes.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

import pytest

from tests.harness.node import require

FOLDER = Path(__file__).resolve().parents[2] / "sdk" / "typescript"
SCRIPTS = Path(__file__).resolve().parents[1] / "sdk" / "typescript"
_MODULES = FOLDER / "node_modules"
_SOURCES = ("package.json", "tsconfig.json", "CHANGELOG.md", "README.md")
PATIENCE_S = 120.0
"""A compiler on a busy machine; the work itself takes four seconds."""


def run(folder: Path, *command: str | Path, text: str | None = None) -> str:
    """Run a program in a folder and return what it prints. Fails with its standard error."""
    require(shutil.which("node"), "node")
    require(_MODULES / ".package-lock.json", "the packages of sdk/typescript")
    done = subprocess.run(
        [str(word) for word in command],
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def pack(folder: Path) -> Path:
    """Build the package in a folder, and return its tarball."""
    source = folder / "package"
    source.mkdir()
    for name in _SOURCES:
        shutil.copy(FOLDER / name, source)
    shutil.copytree(FOLDER / "src", source / "src")
    (source / "node_modules").symlink_to(_MODULES)
    # `make lint` checks the types, which takes twice the time of writing the modules.
    run(source, source / "node_modules" / ".bin" / "tsc", "--noCheck")
    name = run(
        source, "npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", folder, "--cache", folder / "cache"
    ).strip()
    return folder / name


def install(tarball: Path, folder: Path) -> Path:
    """Install the tarball into a new project in a folder, copy the scripts of the tests to it, and return it."""
    project = folder / "project"
    project.mkdir()
    nobles = {f"@noble/{path.name}": f"file:{path}" for path in sorted((_MODULES / "@noble").iterdir())}
    manifest: dict[str, Any] = {
        "name": "project",
        "private": True,
        "type": "module",
        "dependencies": {"argus-sdk": f"file:{tarball}", **nobles},
        "overrides": {name: f"${name}" for name in nobles},
    }
    (project / "package.json").write_text(json.dumps(manifest))
    words = ("--offline", "--install-links", "--no-audit", "--no-fund", "--cache", str(folder / "cache"))
    run(project, "npm", "install", "--silent", *words)
    for script in SCRIPTS.glob("*.mjs"):
        shutil.copy(script, project)
    return project


def shared_project(factory: pytest.TempPathFactory) -> Path:
    """Return the project with the installed package, which the first worker of a run makes for all."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder = root / "typescript-sdk"
    with (root / "typescript-sdk.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            install(pack(folder), folder)
            (folder / "ready").touch()
    return folder / "project"


def run_script(project: Path, name: str, facts: Any) -> Any:
    """Run `tests/sdk/typescript/{name}` in the project with `facts` as JSON on standard input; return the JSON that it
    prints."""
    return json.loads(run(project, "node", name, text=json.dumps(facts)))


@contextmanager
def running_script(project: Path, name: str) -> Iterator[Callable[[Any], Any]]:
    """Run `tests/sdk/typescript/{name}` in the project, which responds to each line of JSON with one; yield a function
    that sends a value and returns the response. The script ends with its standard input."""
    with subprocess.Popen(
        ["node", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=project
    ) as script:

        def send(value: Any) -> Any:
            assert script.stdin is not None
            assert script.stdout is not None
            script.stdin.write(json.dumps(value) + "\n")
            script.stdin.flush()
            line = script.stdout.readline()
            assert line, f"{name} has ended"
            return json.loads(line)

        try:
            yield send
        finally:
            script.communicate(timeout=PATIENCE_S)
