"""The JavaScript programs of the contract tests, which node runs with the packages in `tests/contract/node`.

`.ci/setup` installs the packages. Without node or the packages a test is skipped; in CI it fails, because no part may
be missing in CI.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "contract" / "node"
# Only a script that hangs takes so long, and pytest's own limit is later. The work takes a second of processor time,
# and took a minute on a machine with ten busy processes for each core.
PATIENCE_S = 240.0


def require(program: str | Path | None, what: str) -> None:
    """Skip the test if this program is absent; in CI, fail the test. `what` names the program in the message."""
    if program is not None and Path(program).exists():
        return
    if os.environ.get("ARGUS_ALL_PARTS") == "1":
        pytest.fail(f"a part that CI must have is absent: {what}")
    pytest.skip(f"{what} is absent; run make setup")


def run_script(name: str, facts: dict[str, Any], *, patience_s: float = PATIENCE_S) -> Any:
    """Run `tests/contract/node/{name}` with `facts` as JSON on standard input; return the JSON that it prints."""
    require(shutil.which("node"), "node")
    require(FOLDER / "node_modules" / ".package-lock.json", "the packages of tests/contract/node")
    done = subprocess.run(
        ["node", str(FOLDER / name)],
        input=json.dumps(facts),
        capture_output=True,
        text=True,
        timeout=patience_s,
        check=False,
        cwd=FOLDER,
    )
    assert done.returncode == 0, f"{name}: {done.stderr}"
    return json.loads(done.stdout)


@contextmanager
def running_script(name: str) -> Iterator[str]:
    """Run `tests/contract/node/{name}`, which prints one line when it is ready; yield this line. The script ends with
    its standard input."""
    require(shutil.which("node"), "node")
    require(FOLDER / "node_modules" / ".package-lock.json", "the packages of tests/contract/node")
    command = ["node", str(FOLDER / name)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=FOLDER) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline().strip()
            assert line, f"{name} ended before it was ready"
            yield line
        finally:
            process.stdin.close()


def run_linter(program: str, *words: str) -> tuple[int, str]:
    """Run a linter from the packages, without telemetry and update checks; return exit code and output."""
    require(shutil.which("node"), "node")
    installed = FOLDER / "node_modules" / ".bin" / program
    require(installed, "the packages of tests/contract/node")
    done = subprocess.run(
        [str(installed), *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        cwd=FOLDER,
        env={
            **os.environ,
            "REDOCLY_TELEMETRY": "off",
            "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
            "NO_COLOR": "1",
            "CI": "true",
        },
    )
    return done.returncode, done.stdout + done.stderr
