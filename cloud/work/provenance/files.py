"""Compute the SHA-256 of the file of a piece of evidence for a verification (contract matrix A-129).

Such a file is the result of an export job. It is kept until its retention ends, and may have several gigabytes, while a
verification has to end within its request. So a larger file is not read, and neither is one while the object store does
not respond; the result of the verification then states why the content was not checked. Each tenant has one file read
at a time, and all tenants a few, since each keeps a thread or a connection for some seconds: a tenant that verifies
large files all the time delays only itself.
"""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from weakref import WeakValueDictionary

import structlog

from cloud.foundation.db import Transaction
from cloud.foundation.objects import ObjectMissing, ObjectStore, ObjectStoreUnavailable, Results, StoredObject
from protocols.provenance.transcript import hash_text

FILE_BYTES_MAX = 256 << 20
"""Greatest size of a file that a verification reads: about a second from a local disk, and three from an S3 service."""
FILE_S_MAX = 10.0
"""Time to read a file, with the time in which others are read: a third of the time that a request has."""
FILES_AT_ONCE = 4
"""Files of different tenants that a process reads at once."""

log = structlog.get_logger()


class ContentNotChecked(StrEnum):
    """Reason why the file of an export was not read: its hash was compared with the cloud's own record only."""

    REMOVED = "file_removed"
    """The file is no longer stored, since its retention has ended."""
    TOO_LARGE = "file_too_large"
    """The file has more than `FILE_BYTES_MAX` bytes."""
    UNAVAILABLE = "file_unavailable"
    """The object store did not respond in time."""


@dataclass(frozen=True, slots=True)
class FileHash:
    """The hash of a file that was read, as `content_hash` in a record has it."""

    text: str


class EvidenceFiles:
    """Reads the files of evidence. `objects` is None in an installation without an object store."""

    def __init__(self, objects: ObjectStore | None) -> None:
        self._objects = objects
        self._results = Results()
        self._places = asyncio.Semaphore(FILES_AT_ONCE)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Tenant → its turn, as long as one of its files is read or waits for that."""

    async def find(self, tx: Transaction, job_id: str) -> StoredObject | None:
        """Return the file of a job; None if it is no longer stored."""
        found = await self._results.find(tx, job_id)
        return None if found is None else found.stored

    async def read(self, tenant_id: str, file: StoredObject | None) -> FileHash | ContentNotChecked:
        """Compute the hash of a tenant's file from its content, whatever its row states."""
        if file is None or self._objects is None:
            return ContentNotChecked.REMOVED
        turn = self._turns.setdefault(tenant_id, asyncio.Lock())
        try:
            # First the turn: what waits for it takes no place from other tenants.
            async with asyncio.timeout(FILE_S_MAX), turn, self._places:
                found = await self._objects.digest(file.name, FILE_BYTES_MAX)
        except ObjectMissing:
            return ContentNotChecked.REMOVED
        except (ObjectStoreUnavailable, TimeoutError) as error:
            log.warning("evidence.file_unread", object=file.name, error=type(error).__name__)
            return ContentNotChecked.UNAVAILABLE
        return ContentNotChecked.TOO_LARGE if found is None else FileHash(hash_text(found.sha256))
