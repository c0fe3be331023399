"""The interface of an object store, and the form of object names.

Objects are immutable: an object is put whole under a new name, read, and at last removed. A name consists of parts that
are joined by slashes. No part begins with a dot, so a name cannot leave the folder of a local store, and a local store
may keep its own files in folders that begin with a dot.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from cloud.foundation.objects.errors import ObjectDamaged, ObjectMissing

OBJECT_BYTES_MAX = 64 << 20
"""Limit of one object. It is put in one request and held in memory once. Packed waveforms have at most 8 MiB, and a
result page of a year of numerics stays below the limit."""

JOINED_BYTES_MAX = 16 << 30
"""Limit of an object that is joined from parts: an export of 15 million observations as FHIR, and a third of what S3
allows for the parts of 8 MiB in which it is sent (10 000)."""

NAME_LENGTH_MAX = 512
"""Half of what S3 allows (1024 bytes), so that a bucket's prefix fits too."""

PAGE_OBJECTS = 1_000
"""Objects in one page of a listing: the page of S3's own interface."""

_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}){0,15}")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A stored object: its name, its size and its SHA-256, by which a read is checked."""

    name: str
    size_bytes: int
    sha256: bytes

    def check(self, data: bytes) -> bytes:
        """Return `data` if it is the content of this object. Raises `ObjectDamaged`."""
        self.check_read(len(data), hashlib.sha256(data).digest())
        return data

    def check_read(self, size_bytes: int, sha256: bytes) -> None:
        """Check the size and the SHA-256 of the content that was read. Raises `ObjectDamaged`."""
        if size_bytes != self.size_bytes:
            raise ObjectDamaged(f"({self.name} has {size_bytes} bytes instead of {self.size_bytes}.)")
        if sha256 != self.sha256:
            raise ObjectDamaged(f"({self.name} has another SHA-256.)")


@dataclass(frozen=True, slots=True)
class Download:
    """The form in which an object is downloaded: its media type, and the name of the file that a browser saves."""

    media_type: str
    file_name: str

    def __post_init__(self) -> None:
        assert _FILE_NAME.fullmatch(self.file_name), "the name of a download needs no quoting in a header"

    @property
    def disposition(self) -> str:
        return f'attachment; filename="{self.file_name}"'


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object of a listing."""

    name: str
    size_bytes: int


class ObjectStore(Protocol):
    """A store of immutable objects. Every method raises `ObjectStoreUnavailable` when the store cannot be used."""

    async def put(self, name: str, data: bytes) -> StoredObject:
        """Store an object. When the call returns, the object is durable; after an error it is stored whole or not at
        all."""
        ...

    async def read(self, stored: StoredObject) -> bytes:
        """Return an object whose size and SHA-256 were checked. Raises `ObjectMissing`, `ObjectDamaged`."""
        ...

    async def read_range(self, name: str, first: int, size_bytes: int) -> bytes:
        """Return `size_bytes` bytes of an object from the byte `first` on. They are not checked: a format whose ranges
        are read has checksums of its own. Raises `ObjectMissing`, and `ObjectDamaged` when the object is shorter."""
        ...

    async def size(self, name: str) -> int:
        """Return the number of bytes that an object has now, without reading it. Raises `ObjectMissing`."""
        ...

    async def digest(self, name: str, bytes_max: int) -> StoredObject | None:
        """Return the size and the SHA-256 that an object has now, computed from its content; None if it has more than
        `bytes_max` bytes. Memory holds a piece of it. Raises `ObjectMissing`."""
        ...

    async def join(self, name: str, parts: Sequence[StoredObject], download: Download) -> StoredObject:
        """Store an object that is the contents of these objects one after the other, each of which is checked. Memory
        holds one or two of them. Raises `ObjectMissing`, `ObjectDamaged`."""
        ...

    async def link(self, name: str, lifetime_s: int) -> str | None:
        """Return an address at which a client can download an object for `lifetime_s` seconds without other
        credentials; None if the store has no addresses of its own."""
        ...

    async def remove(self, name: str) -> None:
        """Remove an object, if it exists."""
        ...

    async def remove_unfinished(self, before_us: int) -> int:
        """Remove what killed processes left of objects that they were storing, and that was last written before
        `before_us`; return the number of files. For a bucket, its own rule removes incomplete uploads."""
        ...

    def pages(self, prefix: str, *, after: str = "") -> AsyncIterator[Sequence[ListedObject]]:
        """Yield the objects whose names begin with the parts `prefix` and follow `after`, in the order of their names,
        in pages of at most `PAGE_OBJECTS`."""
        ...


async def is_stored(objects: ObjectStore, stored: StoredObject) -> bool:
    """Return whether an object exists and has its size; its content is not checked. Raises
    `ObjectStoreUnavailable`."""
    try:
        return await objects.size(stored.name) == stored.size_bytes
    except ObjectMissing:
        return False


def check_name(name: str) -> str:
    """Return the name unchanged if it has the form of an object's name; otherwise an error of ours chose it."""
    assert len(name) <= NAME_LENGTH_MAX, "an object's name is too long"
    assert _NAME.fullmatch(name), "an object's name has a part that is empty, begins with a dot or has other characters"
    return name


def check_parts(parts: Sequence[StoredObject]) -> Sequence[StoredObject]:
    assert sum(part.size_bytes for part in parts) <= JOINED_BYTES_MAX, "a joined object is too large"
    return parts


def check_size(data: bytes) -> bytes:
    assert len(data) <= OBJECT_BYTES_MAX, "an object is too large"
    return data
