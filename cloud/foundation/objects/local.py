"""Objects as files of one folder, readable by our account alone.

An object is written to a temporary file, flushed to the disk, and renamed to its name; then the folder is flushed. So
after a power cut an object is there whole or not at all. A folder is removed with its last object.

The temporary files are in the folder `.unfinished`, from which the sweep of results removes a file that a killed
process left (`remove_unfinished`).
"""

import asyncio
import hashlib
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import TypeVar

from cloud.foundation.objects.errors import ObjectDamaged, ObjectMissing, ObjectStoreUnavailable
from cloud.foundation.objects.store import (
    PAGE_OBJECTS,
    Download,
    ListedObject,
    StoredObject,
    check_name,
    check_parts,
    check_size,
)

UNFINISHED = ".unfinished"
NAMINGS_MAX = 3
"""Attempts to give an object its name. In each of them, another process may remove the object's folder, which is empty
until then."""
_FOLDER_MODE = 0o700
_FILE_MODE = 0o600
COPY_BYTES = 256 << 10
"""Size of the pieces in which objects are joined, which stay in the processor's cache."""

DIGEST_BYTES = 8 << 20
"""Size of the pieces that a thread adds to a SHA-256 at once: some ten milliseconds."""

Result = TypeVar("Result")


class LocalObjects:
    """An object store in the folder `root`, which is made when the first object is stored. Its parent must exist, so
    that an absent disk is not taken for an empty store."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, name: str, data: bytes) -> StoredObject:
        path = self._path(name)
        check_size(data)
        return StoredObject(name, len(data), await _in_thread(self._write, path, data))

    async def read(self, stored: StoredObject) -> bytes:
        path = self._path(stored.name)
        return stored.check(await _in_thread(_read, path, stored.name, 0, stored.size_bytes + 1))

    async def read_range(self, name: str, first: int, size_bytes: int) -> bytes:
        data = await _in_thread(_read, self._path(name), name, first, size_bytes)
        if len(data) != size_bytes:
            raise ObjectDamaged(f"({name} ends at byte {first + len(data)}, before {first + size_bytes}.)")
        return data

    async def size(self, name: str) -> int:
        return await _in_thread(_size, self._path(name), name)

    async def digest(self, name: str, bytes_max: int) -> StoredObject | None:
        # In pieces: a thread cannot be stopped, and so ends with its piece when the caller is cancelled.
        path, digest, size_bytes = self._path(name), hashlib.sha256(), 0
        if await _in_thread(_size, path, name) > bytes_max:
            return None
        while count := await _in_thread(_digest, path, name, size_bytes, digest):
            size_bytes += count
        return StoredObject(name, size_bytes, digest.digest())

    async def join(self, name: str, parts: Sequence[StoredObject], _download: Download) -> StoredObject:
        path = self._path(name)
        check_parts(parts)
        digest = hashlib.sha256()
        temporary = await _in_thread(self._begin)
        try:
            for part in parts:
                await _in_thread(_copy, part, self._path(part.name), temporary, digest)
            await _in_thread(self._finish, temporary, path)
        except BaseException:
            # Without a temporary file, its thread has given it the object's name before the join was cancelled. With
            # it, the thread finds no file to rename.
            if not _remove_temporary(temporary):
                _remove_temporary(path)
            raise
        return StoredObject(name, sum(part.size_bytes for part in parts), digest.digest())

    async def link(self, name: str, lifetime_s: int) -> None:
        return None

    async def remove(self, name: str) -> None:
        await _in_thread(self._remove, self._path(name))

    async def remove_unfinished(self, before_us: int) -> int:
        return await _in_thread(_remove_older, self._root / UNFINISHED, before_us)

    async def pages(self, prefix: str, *, after: str = "") -> AsyncIterator[Sequence[ListedObject]]:
        found = self._walk(check_name(prefix), after)
        while page := await _in_thread(lambda: list(islice(found, PAGE_OBJECTS))):
            yield page

    def _path(self, name: str) -> Path:
        return self._root / check_name(name)

    def _write(self, path: Path, data: bytes) -> bytes:
        """Store an object; return its SHA-256."""
        temporary = self._begin()
        try:
            with _opened(temporary) as file:
                _append(file, data)
            self._finish(temporary, path)
        except OSError:
            _remove_temporary(temporary)
            raise
        return hashlib.sha256(data).digest()

    def _remove(self, path: Path) -> None:
        """Remove a file, and the folders that it leaves empty."""
        with suppress(FileNotFoundError):
            path.unlink()
            _flush(path.parent)
        for folder in self._folders(path):
            try:
                folder.rmdir()
            except OSError:  # it has other files, or another process has removed it
                return

    def _folders(self, path: Path) -> Sequence[Path]:
        """Return the folders below the root in which a file lies, the innermost first."""
        return [self._root / folder for folder in path.relative_to(self._root).parents[:-1]]

    def _begin(self) -> Path:
        """Make an empty temporary file."""
        _make_folder(self._root)
        unfinished = self._root / UNFINISHED
        _make_folder(unfinished)
        temporary = unfinished / uuid.uuid4().hex
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE))
        return temporary

    def _finish(self, temporary: Path, path: Path) -> None:
        """Make the temporary file durable and give it its name."""
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        for attempt in range(1, NAMINGS_MAX + 1):
            try:
                for folder in reversed(self._folders(path)):
                    _make_folder(folder)
                temporary.rename(path)
                break
            except FileNotFoundError:  # the folder was empty, and another process removed it
                if attempt == NAMINGS_MAX:
                    raise
        _flush(path.parent)

    def _walk(self, prefix: str, after: str) -> Iterator[ListedObject]:
        """Yield the objects below `prefix` that follow `after`, in the order of their names. Folders whose names all
        come before `after` are not read. An empty folder, which a killed process left, is removed."""
        try:
            entries = sorted(os.scandir(self._root / prefix), key=_place)
        except (FileNotFoundError, NotADirectoryError):
            return  # the store is empty, or the folder was removed meanwhile
        if prefix and not entries:
            with suppress(OSError):
                (self._root / prefix).rmdir()
        for entry in entries:
            name = f"{prefix}/{entry.name}" if prefix else entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if after < f"{name}0":  # "0" is the character after "/", so every name in the folder is less
                    yield from self._walk(name, after)
            elif name > after:
                with suppress(FileNotFoundError):
                    yield ListedObject(name, entry.stat(follow_symlinks=False).st_size)


async def _in_thread(work: Callable[..., Result], *arguments: object) -> Result:
    """Run `work` beside the event loop. Raises `ObjectStoreUnavailable` for an error of the file system."""
    try:
        return await asyncio.to_thread(work, *arguments)
    except OSError as error:
        raise ObjectStoreUnavailable(f"({error.filename or 'The folder of objects'}: {error.strerror}.)") from None


def _opened(temporary: Path) -> FileIO:
    """Open a temporary file to write at its end. Raises `OSError` if it was removed, since its process was suspended
    for a day."""
    file = temporary.open("r+b", buffering=0)
    file.seek(0, os.SEEK_END)
    return file


def _append(file: FileIO, data: bytes | memoryview) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def _copy(part: StoredObject, path: Path, temporary: Path, joined: "hashlib._Hash") -> None:
    """Append an object to a temporary file, and to the SHA-256 of the joined object. Raises `ObjectMissing`, and
    `ObjectDamaged` after the copy of a damaged one.

    It is copied in pieces: the memory that a thread frees is kept for this thread, and after some minutes each of
    asyncio's threads would keep that of a whole part.
    """
    digest, size_bytes, buffer = hashlib.sha256(), 0, memoryview(bytearray(COPY_BYTES))
    try:
        source = path.open("rb", buffering=0)
    except (FileNotFoundError, IsADirectoryError):
        raise ObjectMissing(f"({part.name})") from None
    with source, _opened(temporary) as file:
        while count := source.readinto(buffer):
            piece = buffer[:count]
            digest.update(piece)
            joined.update(piece)
            _append(file, piece)
            size_bytes += count
    part.check_read(size_bytes, digest.digest())


def _remove_temporary(temporary: Path) -> bool:
    """Remove a file that no reader needs; return whether it was there."""
    with suppress(OSError):
        temporary.unlink()
        return True
    return False


def _place(entry: "os.DirEntry[str]") -> str:
    return f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name


def _read(path: Path, name: str, first: int, size_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(first)
            return file.read(size_bytes)
    except (FileNotFoundError, IsADirectoryError):
        raise ObjectMissing(f"({name})") from None


def _size(path: Path, name: str) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise ObjectMissing(f"({name})") from None


def _digest(path: Path, name: str, first: int, digest: "hashlib._Hash") -> int:
    """Add the piece of an object that begins at a byte to its SHA-256; return the size of the piece."""
    buffer, size_bytes = memoryview(bytearray(COPY_BYTES)), 0
    try:
        source = path.open("rb", buffering=0)
    except (FileNotFoundError, IsADirectoryError):
        raise ObjectMissing(f"({name})") from None
    with source:
        source.seek(first)
        while size_bytes < DIGEST_BYTES and (count := source.readinto(buffer)):
            digest.update(buffer[:count])
            size_bytes += count
    return size_bytes


def _make_folder(folder: Path) -> None:
    """Make the folder durable, if it does not exist. Its parent must exist."""
    try:
        folder.mkdir(mode=_FOLDER_MODE)
    except FileExistsError:
        return
    _flush(folder.parent)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_older(folder: Path, before_us: int) -> int:
    removed = 0
    with suppress(FileNotFoundError), os.scandir(folder) as entries:  # without a folder, nothing was stored yet
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.stat(follow_symlinks=False).st_mtime_ns < before_us * 1_000:
                    os.unlink(entry.path)
                    removed += 1
    return removed
