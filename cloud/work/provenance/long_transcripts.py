"""Send a transcript that is too long for memory: 10,000 records with ML-DSA-65 take 72 MB.

Each part has the records of one page, read in a transaction of its own, so that a slow client holds neither memory nor
a transaction. The root was computed and signed before, over all records; they are never changed, so the pages that are
read now have the same ones. The bytes are those that a short transcript would have.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson

from cloud.foundation.db import Database
from cloud.work.evidence import EvidenceStore, StoredRecord
from cloud.work.provenance.errors import EvidenceRecordsMissing
from protocols.provenance.canonical_json import JsonValue
from protocols.provenance.prov_o import RecordNodes, write_document
from protocols.provenance.signatures import Algorithm
from protocols.provenance.transcript import write_record

PAGE = 100
"""Records of a part: 0.7 MB with ML-DSA-65."""
_RECORDS = b'"records":[]'


class LongTranscript:
    """A transcript to send in parts. `envelope` is the transcript with empty `records`."""

    def __init__(self, database: Database, envelope: Mapping[str, Any], algorithm: Algorithm) -> None:
        self._database = database
        self._store = EvidenceStore()
        self._envelope = envelope
        self._algorithm = algorithm

    async def json(self) -> AsyncIterator[bytes]:
        """Yield the JSON form."""
        before, after = orjson.dumps(self._envelope).split(_RECORDS)
        async for part in self._around_records(before, after):
            yield part

    async def json_ld(self, *, strict_context: bool) -> AsyncIterator[bytes]:
        """Yield the JSON-LD form."""
        document = orjson.dumps(write_document(self._envelope, strict_context=strict_context))
        before, after = document.removesuffix(b"]}").split(_RECORDS)
        async for part in self._around_records(before, after):
            yield part
        nodes = RecordNodes(self._envelope["tenant_id"], self._envelope["evidence_id"])
        async for page in self._pages():
            yield b"," + _joined([node for one in page for node in nodes.of(one.core_members)])
        yield b"]}"

    async def _around_records(self, before: bytes, after: bytes) -> AsyncIterator[bytes]:
        yield before + b'"records":['
        comma = b""
        async for page in self._pages():
            yield comma + _joined([write_record(one.signed(self._algorithm)) for one in page])
            comma = b","
        yield b"]" + after

    async def _pages(self) -> AsyncIterator[Sequence[StoredRecord]]:
        tenant_id, evidence_id = self._envelope["tenant_id"], self._envelope["evidence_id"]
        position, last = 0, self._envelope["record_count"]
        while position < last:
            count = min(PAGE, last - position)
            async with self._database.read() as tx:
                page = await self._store.records_of(tx, tenant_id, evidence_id, after=position, count=count)
            if len(page) < count:
                raise EvidenceRecordsMissing  # ends the connection before the end of the body
            yield page
            position += count


def _joined(values: Sequence[JsonValue]) -> bytes:
    """Return JSON values as they are inside a list."""
    return orjson.dumps(values)[1:-1]
