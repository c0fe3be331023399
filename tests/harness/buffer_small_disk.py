"""A disk of a few megabytes, to fill: a tmpfs where we may mount one."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, *, megabytes: int) -> Iterator[Path]:
    """`folder` as a file system of its own of this size; skips the test where mounting is not allowed."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount program, so no small disk to fill")
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def ballast(folder: Path, *, leave_bytes: int = 0) -> Path:
    """Something else that fills the disk but for `leave_bytes`; deleting it gives the room back."""
    import os

    disk = os.statvfs(folder)
    path = folder / "ballast"
    size = disk.f_bavail * disk.f_frsize - leave_bytes
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(size, 1))
    return path
