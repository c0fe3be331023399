"""Makes a file or a folder's entries survive a power cut.

A new file exists on the disk only after its folder was flushed too: the name is in the folder.
"""

import os
from pathlib import Path


def flush(path: Path) -> None:
    """Return when the content of `path` (of a folder: the names in it) is on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create `path` and its missing parents durably; 0700, because only its owner is to read it. A folder that exists
    is left as it is."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for made in missing:
        flush(made.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Give `path` this content, durably and in one step: after a power cut it is the previous file or the new one.
    0600. Raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    flush(path.parent)
