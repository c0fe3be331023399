"""Ensure that one demo at a time uses a state folder, even after a demo was killed.

There are two locks, which the kernel releases when their last holder ends. The demo itself has the first lock, so a
second demo in the same folder is refused. All processes of the demo inherit the second lock. The processes of a killed
demo may still be stopping, so the next start waits for the second lock and does not compete with them for ports and
files.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulators.demo.plan import PLAN_FILE, PlanUnusable

DEMO_LOCK = "demo.lock"
PARTS_LOCK = "parts.lock"
LEFT_OVER_S_MAX = 30.0
"""Longer than any process of the demo takes to stop in order."""
_ASK_EVERY_S = 0.1


@contextmanager
def occupied(state_dir: Path) -> Iterator[int]:
    """Lock the state folder during the block, and create it where it is absent. Yield the file descriptor of the second
    lock, which the demo's processes have to inherit.

    Raises `PlanUnusable` where the folder is in use by another demo, holds other files than a demo's, or is still
    locked by the processes of a killed demo after `LEFT_OVER_S_MAX`.
    """
    _check_ours(state_dir)
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    own, parts = _opened(state_dir / DEMO_LOCK), _opened(state_dir / PARTS_LOCK)
    try:
        if not _locked(own):
            raise PlanUnusable(f"a demo runs in {state_dir} already; stop it, or name another folder with --state")
        _wait_for(parts, state_dir)
        yield parts
    finally:
        os.close(parts)
        os.close(own)


def _check_ours(state_dir: Path) -> None:
    if not state_dir.exists() or (state_dir / PLAN_FILE).exists():
        return
    if not state_dir.is_dir():
        raise PlanUnusable(f"{state_dir} is not a folder; name another one with --state")
    if {each.name for each in state_dir.iterdir()} - {DEMO_LOCK, PARTS_LOCK}:
        raise PlanUnusable(f"{state_dir} is not empty and holds no demo; name another folder with --state")


def _wait_for(parts: int, state_dir: Path) -> None:
    deadline_s = time.monotonic() + LEFT_OVER_S_MAX
    while not _locked(parts):
        if time.monotonic() > deadline_s:
            raise PlanUnusable(
                f"parts of a demo that was killed still run in {state_dir}; end them (`fuser {state_dir / PARTS_LOCK}` "
                "lists them), or name another folder with --state"
            )
        time.sleep(_ASK_EVERY_S)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
