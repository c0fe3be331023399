"""The consoles load without garbage collections, which would take up to a seventh of a start."""

import subprocess
import sys

import pytest

_PROGRAM = """
import gc, sys
from importlib import import_module
default = gc.get_threshold()
collections = []
console, loaded = sys.argv[1:]
main = import_module(console).main
gc.callbacks.append(lambda phase, info: collections.append(phase))
sys.argv = [console, "--version"]
try:
    main()
except SystemExit:
    pass
import_module(loaded)
assert collections == [], f"{len(collections) // 2} collections"
assert import_module(console).DEFAULT_THRESHOLDS == default, 'the rate for a program that serves'
"""


@pytest.mark.parametrize(("console", "loaded"), [("gateway.cli", "gateway.app"), ("cloud.cli", "cloud.app")])
def test_program_loads_without_garbage_collections(console: str, loaded: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, console, loaded], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
