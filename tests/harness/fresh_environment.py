"""A new user's machine: the folder of the repository without anything built, in which a reader enters the commands of
the guide to the first call.

The commands are those of the page, unchanged. What the SDK for Python depends on comes from the environment of the
tests, since pip has no index here; npm takes the packages from its own cache, which `.ci/setup` filled.
"""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.harness.guide_blocks import Block
from tests.harness.node import require
from tests.tidy.sources import ROOT

PATIENCE_S = 240.0
"""Two builds and an installation on a busy machine; the work itself takes half a minute."""
WAYS = ("curl", "python", "typescript")


@dataclass(frozen=True)
class FreshEnvironment:
    """A folder of the repository. `values` maps what the page has in angle brackets to what a reader enters."""

    folder: Path
    values: Mapping[str, str]

    @classmethod
    def make(cls, folder: Path, demo_state: Path, values: Mapping[str, str]) -> "FreshEnvironment":
        """Copy what a reader has: the SDKs and the modules that they are built from. A demo runs beside them."""
        require(shutil.which("npm"), "npm")
        unbuilt = shutil.ignore_patterns("node_modules", "dist", "__pycache__", "*.egg-info")
        for name in ("sdk", "protocols"):
            shutil.copytree(ROOT / name, folder / name, ignore=unbuilt)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        (folder / "demo-state").symlink_to(demo_state)
        return cls(folder, values)

    def enter(self, blocks: Sequence[Block]) -> str:
        """Save the programs and enter the commands of some blocks, in this order; return what they printed. Fails at
        the first command that does."""
        lines = ["set -eo pipefail"]
        for block in blocks:
            text = block.text
            for shown, ours in self.values.items():
                text = text.replace(shown, ours)
            if block.language == "sh":
                lines.append(text)
            else:
                (path,) = block.words
                (self.folder / path).parent.mkdir(exist_ok=True)
                (self.folder / path).write_text(text)
        done = subprocess.run(
            ["bash", "-c", "\n".join(lines)],
            cwd=self.folder,
            env=_variables(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout


def blocks_of_way(blocks: Sequence[Block], way: str, *, beside_demo: bool) -> list[Block]:
    """Return the blocks that a reader of the guide enters from its first line to a response: with `beside_demo` those
    for the demo's app, otherwise those for an app that an operator registered."""
    plain = [one for one in blocks if one.language == "sh" and not one.words]
    demo = [one for one in blocks if one.words == ("demo",)]
    begun = demo if beside_demo else plain[:1]
    if way == "curl":
        return begun + plain[1:]
    of_way = [one for one in blocks if one.words == (way,) or (one.language == way and one.words)]
    return begun + of_way


def _variables() -> dict[str, str]:
    """Return the variables of the reader's shell."""
    given = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "CLIENT_", "TOKEN"))}
    return {
        **given,
        "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # its option is a negation, so this states it
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "npm_config_prefer_offline": "true",
        "npm_config_audit": "false",
        "npm_config_fund": "false",
        "npm_config_update_notifier": "false",
    }
