"""Commands of `argus-cloud` in the process of the test, for tests of their effect or their output.

The start of an interpreter that loads the cloud costs more than most commands. Tests of the console script itself are
in `tests/cloud/cli`, and those of the guides run their commands as processes too.
"""

import logging
import shlex
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import structlog
from typer.testing import CliRunner

from cloud.cli import app
from tests.harness.rsa_keys import kept_keys

_ONE_AT_A_TIME = threading.Lock()
"""The runner replaces the standard output of the whole process."""


def argus_cloud(config: Path, *words: str) -> str:
    """Run `argus-cloud --config CONFIG WORDS`, which must succeed; return its output.

    It runs in a thread of its own, since a command has an event loop, and the caller's thread may have one too.
    """
    with _ONE_AT_A_TIME, kept_keys(), logging_as_before(), ThreadPoolExecutor(max_workers=1) as executor:
        outcome = executor.submit(CliRunner().invoke, app, ["--config", str(config), *words]).result()
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    assert outcome.exit_code == 0, f"argus-cloud {shlex.join(words)}: {outcome.output[-6000:]}"
    return outcome.stdout


@contextmanager
def logging_as_before() -> Iterator[None]:
    """Restore after the block the configuration of logs, which every command changes."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
