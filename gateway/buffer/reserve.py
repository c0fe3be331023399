"""A reserve of eight megabytes on the disk, released for the store when the disk is full.

A full disk must not stop the gateway: events, ePCR and gap records are still stored. The reserve is a file that is
allocated, not merely extended, because a sparse file reserves nothing. It is allocated again once the disk has room for
it and some more (`full_disk.RESUME_BYTES`), so that the state does not alternate at the limit.
"""

import os
from pathlib import Path

OPENING_BYTES = 1 << 20
"""Free space that opening needs: a log index takes 32 KiB and repairing a damaged block some pages, so this is
plenty."""


class Reserve:
    """The file `<store>.reserve`. `held` is True while the file is allocated in full."""

    def __init__(self, store: Path, size_bytes: int) -> None:
        self._path = _beside(store)
        self._size_bytes = size_bytes
        self.held = False

    def hold(self, *, spare_bytes: int) -> bool:
        """Allocate the reserve if the allocation leaves `spare_bytes` free on the disk. Return whether the reserve is
        allocated."""
        if self.held:
            return True
        try:
            if self._path.stat().st_blocks * 512 >= self._size_bytes:
                self.held = True
                return True
        except OSError:
            pass  # no file: the usual case after a full disk
        disk = os.statvfs(self._path.parent)
        if disk.f_bavail * disk.f_frsize < self._size_bytes + spare_bytes:
            return False
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size_bytes)
            finally:
                os.close(descriptor)
        except OSError:
            self.release()
            return False
        self.held = True
        return True

    def release(self) -> None:
        self.held = False
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            # A full file system may refuse the deletion; truncating the file needs no new block.
            os.truncate(self._path, 0)
        _settle(self._path.parent)


def make_room(store: Path) -> None:
    """Release the reserve if the disk is too full for SQLite to open the store, even to read."""
    disk = os.statvfs(store.parent)
    if disk.f_bavail * disk.f_frsize < OPENING_BYTES:
        _beside(store).unlink(missing_ok=True)
        _settle(store.parent)


def _beside(store: Path) -> Path:
    return store.with_name(store.name + ".reserve")


def _settle(folder: Path) -> None:
    """Flush the folder, because ext4 reuses the blocks of a deleted file only after its journal has committed the
    deletion."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # then the space is freed by the journal's own commit, within seconds
    finally:
        os.close(descriptor)
