"""Commands of `argus-cloud` that a fleet runs beside the cloud: registration before it starts, counts after its end."""

import json
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from simulators.demo.commands import program, run_command

COMMANDS_MAX: Final = 100
"""Limit of commands in one batch. A registration takes up to 0.2 s on a busy machine, and a batch has a minute."""


class Console:
    """The console of one cloud. `config` is the settings file of the cloud."""

    def __init__(self, config: Path) -> None:
        self._config = config

    async def run(self, *commands: Sequence[str]) -> list[Any]:
        """Run at most `COMMANDS_MAX` commands in one process, and return the JSON output of each. Raises
        `CommandFailed`; the commands before the failed one are done."""
        assert len(commands) <= COMMANDS_MAX
        with tempfile.NamedTemporaryFile("w", prefix="argus-fleet-", suffix=".batch") as batch:
            batch.write("".join(f"{shlex.join([*words, '--json'])}\n" for words in commands))
            batch.flush()
            out = await run_command(program("argus-cloud"), "--config", str(self._config), "batch", batch.name)
        return [json.loads(line) for line in out.splitlines()]
