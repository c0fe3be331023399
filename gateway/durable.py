"""Makes files survive a power cut. The name of a new file is on the disk only after its folder was flushed."""

import os
from pathlib import Path


def flush(path: Path) -> None:
    """Flush the content of `path` to the disk; for a folder, the names in it. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create `path` and its missing parents durably, with mode 0700. An existing folder is not changed."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for made in missing:
        flush(made.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` durably, with mode 0600 and in one step: after a power cut the file has either its
    previous content or the new one. Raises OSError."""
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
