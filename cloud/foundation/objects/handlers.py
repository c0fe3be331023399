"""Handlers of downloads from a local folder."""

import base64
from collections.abc import AsyncIterator

from cloud.foundation.http import Host, Parts, Request, Response, Streamed
from cloud.foundation.objects.errors import LinkRefused, ObjectDamaged, ObjectMissing, ResultExpired
from cloud.foundation.objects.links import ResultLinks
from cloud.foundation.objects.opening import object_store_of
from cloud.foundation.objects.ranges import range_of
from cloud.foundation.objects.results import Result, Results
from cloud.foundation.objects.schemas import DownloadQuery
from cloud.foundation.objects.store import ObjectStore, is_stored

BLOCK_BYTES = 1 << 20
"""Bytes that a download reads at once: it takes some milliseconds, and 16 streams hold 16 of them."""


class DownloadHandlers:
    """Handlers of `/v1/downloads/{resultId*}`."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._objects = object_store_of(parts.settings)
        self._results = Results()
        self._links = ResultLinks(self._objects, parts.master, parts.bases[Host.API], parts.clock)

    async def download(self, request: Request) -> Response:
        """Return a result, or the range of it that the request selects."""
        query = request.query
        assert isinstance(query, DownloadQuery)
        self._links.check(request.path["resultId"], query.expires, query.signature)
        async with self._database.read() as tx:
            result = await self._results.find(tx, request.path["resultId"])
        # The size before the first byte: an object that was cut short would break off a response that has begun.
        if result is None or self._objects is None or not await is_stored(self._objects, result.stored):
            raise ResultExpired
        stored = result.stored
        etag = f'"{stored.sha256.hex()}"'
        headers = request.headers
        chosen = range_of(headers.get("Range"), headers.get("If-Range"), etag, stored.size_bytes)
        first, count = chosen or (0, stored.size_bytes)
        try:
            block = await self._objects.read_range(stored.name, first, min(BLOCK_BYTES, count))
        except (ObjectMissing, ObjectDamaged):
            raise ResultExpired from None
        about = _headers(result)
        if chosen is not None:
            about["Content-Range"] = f"bytes {first}-{first + count - 1}/{stored.size_bytes}"
        return Streamed(
            _blocks(self._objects, stored.name, first, count, block),
            result.download.media_type,
            tenant_id=result.tenant_id,
            status=200 if chosen is None else 206,
            size_bytes=count,
            headers=about,
            etag=etag,
        )

    async def refuse(self, _request: Request) -> Response:
        """Refuse to write, as an S3 service does: the signature is for GET."""
        raise LinkRefused


def _headers(result: Result) -> dict[str, str]:
    digest = base64.b64encode(result.stored.sha256).decode()
    return {
        "Content-Disposition": result.download.disposition,
        "Cache-Control": "private, no-store",
        "Accept-Ranges": "bytes",
        "Repr-Digest": f"sha-256=:{digest}:",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


async def _blocks(objects: ObjectStore, name: str, first: int, count: int, block: bytes) -> AsyncIterator[bytes]:
    """Yield `count` bytes of an object from the byte `first` on, which begin with `block`."""
    end = first + count
    while True:
        yield block
        first += len(block)
        if first >= end:
            return
        block = await objects.read_range(name, first, min(BLOCK_BYTES, end - first))
