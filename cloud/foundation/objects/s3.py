"""Objects in a bucket of an S3 service (Amazon S3, Cloudflare R2, MinIO, Ceph) through `obstore`.

`obstore` signs, retries with growing pauses and reuses connections, in Rust beside the event loop. An object is put in
one request, or joined by a multipart upload, so a reader sees it whole or not at all. The service checks the SHA-256 of
each put, since the client sends it with the request. A join that fails or is cancelled removes the parts that it has
sent. A process that is killed during a multipart upload leaves them in the bucket, where no listing shows them: a rule
of the bucket must remove incomplete uploads.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import obstore
from obstore.exceptions import BaseError

from cloud.foundation.errors import DomainError
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

if TYPE_CHECKING:
    from obstore import Attributes, SignCapableStore
    from obstore.store import RetryConfig

REQUEST_S_MAX = 30.0
"""Limit of one attempt: 8 MiB at 2.2 Mbit/s."""
RETRY_S_MAX = 10.0
"""Time in which a failed request is retried. Ingest then retries by itself, and a person gets an error."""
RETRIES_MAX = 2

SEND_BYTES = 8 << 20
"""Size of a part of a multipart upload: S3 needs 5 MiB, and a part is held in memory until it is sent."""
SENT_AT_ONCE = 2
"""Parts of a multipart upload that are sent at once, while the next one is read."""

DIGEST_BYTES = 1 << 20
"""Size of a piece whose SHA-256 is computed in the event loop, which takes a millisecond or two."""

RETRIES: "RetryConfig" = {"max_retries": RETRIES_MAX, "retry_timeout": timedelta(seconds=RETRY_S_MAX)}

Result = TypeVar("Result")


class S3Objects:
    """An object store in one bucket."""

    def __init__(self, bucket: "SignCapableStore") -> None:
        self._bucket = bucket

    async def put(self, name: str, data: bytes) -> StoredObject:
        check_name(name)
        check_size(data)
        try:
            await _request(name, obstore.put_async(self._bucket, name, data, use_multipart=False))
        except ObjectMissing:
            raise ObjectStoreUnavailable("(The object service has no such bucket.)") from None
        return StoredObject(name, len(data), hashlib.sha256(data).digest())

    async def read(self, stored: StoredObject) -> bytes:
        result = await _request(stored.name, obstore.get_async(self._bucket, check_name(stored.name)))
        if result.meta["size"] != stored.size_bytes:  # checked before the body is read into memory
            raise ObjectDamaged(f"({stored.name} has {result.meta['size']} bytes instead of {stored.size_bytes}.)")
        return stored.check(bytes(await _request(stored.name, result.bytes_async())))

    async def read_range(self, name: str, first: int, size_bytes: int) -> bytes:
        check_name(name)
        if not size_bytes:
            return b""
        try:
            found = await _request(name, obstore.get_range_async(self._bucket, name, start=first, length=size_bytes))
        except ObjectStoreUnavailable:
            # S3 refuses a range that begins behind the end, and obstore reports that as it does other errors.
            if (end := await self.size(name)) <= first:
                raise ObjectDamaged(f"({name} ends at byte {end}, before {first + size_bytes}.)") from None
            raise
        data = bytes(found)
        if len(data) != size_bytes:
            raise ObjectDamaged(f"({name} ends at byte {first + len(data)}, before {first + size_bytes}.)")
        return data

    async def size(self, name: str) -> int:
        head = await _request(name, obstore.head_async(self._bucket, check_name(name)))
        return int(head["size"])

    async def digest(self, name: str, bytes_max: int) -> StoredObject | None:
        result = await _request(name, obstore.get_async(self._bucket, check_name(name)))
        if result.meta["size"] > bytes_max:
            return None
        digest, size_bytes = hashlib.sha256(), 0
        pieces = result.stream(min_chunk_size=DIGEST_BYTES).__aiter__()
        while True:
            try:
                piece = await _request(name, pieces.__anext__())
            except StopAsyncIteration:
                return StoredObject(name, size_bytes, digest.digest())
            digest.update(piece)
            size_bytes += len(piece)

    async def join(self, name: str, parts: Sequence[StoredObject], download: Download) -> StoredObject:
        check_name(name)
        digest, failure = hashlib.sha256(), list[DomainError]()

        async def contents() -> AsyncIterator[bytes]:
            for part in parts:
                try:
                    data = await self.read(part)
                except DomainError as error:
                    failure.append(error)
                if failure:  # obstore aborts the upload after an error, and only then
                    raise failure[0]
                digest.update(data)
                yield data

        attributes: Attributes = {
            "Content-Type": download.media_type,
            "Content-Disposition": download.disposition,
            "Cache-Control": "private, no-store",
        }
        sizes = [part.size_bytes for part in check_parts(parts)]
        upload = obstore.put_async(
            self._bucket,
            name,
            contents(),
            attributes=attributes,
            use_multipart=True,
            chunk_size=SEND_BYTES,
            max_concurrency=SENT_AT_ONCE,
        )
        joining = asyncio.ensure_future(_request(name, upload))
        try:
            await asyncio.shield(joining)
        except asyncio.CancelledError:
            failure.append(ObjectStoreUnavailable("(The join was cancelled.)"))
            await self._abandon(name, joining)
            raise
        except DomainError:
            if failure:
                raise failure[0] from None
            raise
        return StoredObject(name, sum(sizes), digest.digest())

    async def _abandon(self, name: str, joining: asyncio.Future[Any]) -> None:
        """Wait until a cancelled join has ended, and remove the object if it was complete by then. What this leaves, as
        when it is cancelled too, is removed by the sweep of results and the bucket's rule."""
        with suppress(DomainError):
            with suppress(DomainError):
                await joining
            await self.remove(name)

    async def link(self, name: str, lifetime_s: int) -> str:
        # The credentials may be those of the machine's role, which are requested from it.
        lifetime = timedelta(seconds=lifetime_s)
        return await _request(name, obstore.sign_async(self._bucket, "GET", check_name(name), lifetime))

    async def remove_unfinished(self, before_us: int) -> int:
        return 0

    async def remove(self, name: str) -> None:
        try:
            await _request(name, obstore.delete_async(self._bucket, check_name(name)))
        except ObjectMissing:
            return

    async def pages(self, prefix: str, *, after: str = "") -> AsyncIterator[Sequence[ListedObject]]:
        stream = obstore.list(
            self._bucket, prefix=check_name(prefix), offset=after or None, chunk_size=PAGE_OBJECTS
        ).__aiter__()
        while True:
            try:
                page = await _request(prefix, stream.__anext__())
            except StopAsyncIteration:
                return
            yield [ListedObject(one["path"], one["size"]) for one in page]


async def _request(name: str, request: Awaitable[Result]) -> Result:
    """Return the result of a request. Raises `ObjectMissing` and `ObjectStoreUnavailable`, without the service's text,
    which may contain a request's signature."""
    try:
        return await request
    except FileNotFoundError:
        raise ObjectMissing(f"({name})") from None
    except (BaseError, OSError, ValueError) as error:
        raise ObjectStoreUnavailable(f"(The object service refused or failed: {type(error).__name__}.)") from None
