"""Making a file or a folder's entries survive a power cut.

A new file is only there after its folder was flushed too: the name lives in the folder.
"""

import os
from pathlib import Path


def flush(path: Path) -> None:
    """Return when what `path` holds (a folder: the names in it) is on the disk. OSError as it comes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """`path` and what is missing above it, durably; 0700, because only its owner is to look in. Left as it is where it
    is there already."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for made in missing:
        flush(made.parent)
