"""The npm package `argus-sdk`: built from its source, packed, and installed from the tarball into a new project.

Everything is offline. The packages that it depends on come from `sdk/typescript/node_modules`, where `.ci/setup`
installed them with their hashes.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

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
    name = run(source, "npm", "pack", "--silent", "--pack-destination", folder, "--cache", folder / "cache").strip()
    return folder / name


def install(tarball: Path, folder: Path) -> Path:
    """Install the tarball into a new project in a folder, and return the project."""
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
    return project


def run_script(project: Path, name: str, facts: Any) -> Any:
    """Run `tests/sdk/typescript/{name}` in the project with `facts` as JSON on standard input; return the JSON that it
    prints."""
    shutil.copy(SCRIPTS / name, project)
    return json.loads(run(project, "node", name, text=json.dumps(facts)))
