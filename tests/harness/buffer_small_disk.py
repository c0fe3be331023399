"""A disk of a few megabytes that a test can fill, on machines where the tests may mount file systems.

tmpfs frees the space of a deleted file at once. ext4 frees it only when its journal has committed the deletion. Both
kinds are offered because of this difference.
"""

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import pytest

Kind = Literal["tmpfs", "ext4"]
_EXT4_IOC_SHUTDOWN, _GOING_WITHOUT_LOG_FLUSH = 0x8004587D, 2
"""Constants of linux/fs/ext4/ext4.h."""
_PIECE_BYTES = 16 << 10
_PROGRAMS = {"tmpfs": ("mount",), "ext4": ("mount", "mkfs.ext4", "losetup")}


@contextmanager
def small_disk(folder: Path, *, megabytes: int, kind: Kind = "tmpfs") -> Iterator[Path]:
    """Mount a file system of this size at `folder`; skip the test with the reason where that is not allowed."""
    absent = [program for program in _PROGRAMS[kind] if shutil.which(program) is None]
    if absent or os.geteuid() != 0:
        pytest.skip(f"a small {kind} disk needs root and {', '.join(absent) or 'mount'}")
    folder.mkdir()
    image = folder.with_suffix(".image")
    if kind == "ext4":
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-m", "0", str(image))
        mount = ("mount", "-o", "loop", str(image), str(folder))
    else:
        mount = ("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder))
    try:
        _run(*mount)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"a small {kind} disk cannot be mounted here: {error.stderr.strip()}")
    try:
        yield folder
    finally:
        _run("umount", str(folder))
        image.unlink(missing_ok=True)


def ballast(folder: Path, *, leave_bytes: int = 0) -> Path:
    """Fill the disk with one file, except for `leave_bytes`. Return the file's path; deleting the
    file frees the space."""
    disk = os.statvfs(folder)
    size = disk.f_bavail * disk.f_frsize - leave_bytes
    path = folder / "ballast"
    # Piece by piece: ext4 needs some of what it calls free for its own books.
    with path.open("wb") as file, suppress(OSError):
        for begin in range(0, size, _PIECE_BYTES):
            os.posix_fallocate(file.fileno(), begin, min(_PIECE_BYTES, size - begin))
    return path


def shut_down(folder: Path) -> None:
    """Make an ext4 disk fail every request with an I/O error, as after an error that ext4 cannot handle."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, _EXT4_IOC_SHUTDOWN, struct.pack("I", _GOING_WITHOUT_LOG_FLUSH))
    finally:
        os.close(descriptor)


def mount_again(folder: Path) -> bool:
    """Mount an ext4 disk again after `shut_down`, as an operator or a reboot would.

    Return False, and change nothing, while a process has files open on the disk.
    """
    if subprocess.run(["umount", str(folder)], capture_output=True, check=False).returncode:
        return False
    _run("mount", "-o", "loop", str(folder.with_suffix(".image")), str(folder))
    return True


def remount(folder: Path, *, read_only: bool) -> None:
    """Remount the mounted disk, read-only or writable."""
    _run("mount", "-o", "remount,ro" if read_only else "remount,rw", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, text=True, check=True)
