"""Files of downloads: written to a folder of their own, and named when they are complete and on the disk.

A program that stops, also by a power cut, leaves no file that looks complete and is not. The unfinished files are in a
folder `.argus-…` within the target, which may be removed.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NUMBER = re.compile(r"-[0-9]{4}\.json")


@contextmanager
def folder_beside(folder: Path) -> Iterator[Path]:
    """Make a folder for unfinished files within `folder`, on the same disk; remove it after the block."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".argus-", dir=folder))
    try:
        yield unfinished
    finally:
        shutil.rmtree(unfinished)


def part_name(name: str, number: int) -> str:
    """Return the name of a part, from 1. Four digits keep the parts in order in a listing."""
    return f"{name}-{number:04}.json"


def place_parts(unfinished: Path, folder: Path, name: str) -> list[Path]:
    """Give all parts in `unfinished` their names in `folder`; return the paths in order.

    The first part of an earlier download is removed first, and that of this one gets its name last. So a folder with a
    first part has all parts, and all of one download.
    """
    for former in sorted(path for path in folder.iterdir() if _is_part(path, name)):
        former.unlink()
        _sync(folder)
    placed = [path.replace(folder / path.name) for path in sorted(unfinished.iterdir(), reverse=True)]
    _sync(folder)
    return placed[::-1]


def _is_part(path: Path, name: str) -> bool:
    return path.name.startswith(name) and _NUMBER.fullmatch(path.name.removeprefix(name)) is not None


def place_file(part: Path, path: Path) -> None:
    """Give a complete file its name."""
    part.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Write the names in a folder to the disk. Windows has no such call."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
