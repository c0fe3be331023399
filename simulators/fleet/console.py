"""Commands of `argus-cloud` that a fleet runs beside the cloud: registration before it starts, counts after its end."""

import json
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from simulators.demo.commands import COMMAND_S, program, run_command

COMMANDS_MAX: Final = 100
"""Limit of commands in one batch. A registration takes up to 0.2 s on a busy machine, and a batch has a minute."""


class Console:
    """The console of one cloud. `config` is the settings file of the cloud."""

    def __init__(self, config: Path) -> None:
        self._config = config

    async def run(self, *commands: Sequence[str], within_s: float = COMMAND_S) -> list[Any]:
        """Run at most `COMMANDS_MAX` commands in one process, and return the JSON output of each. Raises
        `CommandFailed` when one fails or after `within_s`; the commands before it are done."""
        assert len(commands) <= COMMANDS_MAX
        with tempfile.NamedTemporaryFile("w", prefix="argus-fleet-", suffix=".batch") as batch:
            batch.write("".join(f"{shlex.join([*words, '--json'])}\n" for words in commands))
            batch.flush()
            words = (program("argus-cloud"), "--config", str(self._config), "batch", batch.name)
            out = await run_command(*words, within_s=within_s)
        return [json.loads(line) for line in out.splitlines()]
