"""HTTP handlers of transcripts of evidence."""

from cloud.foundation.http import Json, Parts, Request, Response, Streamed
from cloud.work.provenance.long_transcripts import LongTranscript
from cloud.work.provenance.schemas import ProvenanceQuery
from cloud.work.provenance.service import Provenance
from protocols.provenance.prov_o import write_document
from protocols.provenance.signatures import Algorithm

JSON_LD = "application/ld+json"


class ProvenanceHandlers:
    """Handlers of the routes under `/v1/evidence/{evidence_id}/provenance`."""

    def __init__(self, parts: Parts) -> None:
        self._provenance = parts.shared(Provenance.of)

    async def read(self, request: Request) -> Response:
        query = request.query
        assert isinstance(query, ProvenanceQuery)
        found = await self._provenance.transcript(
            request.viewer,
            request.path["evidence_id"],
            Algorithm(query.algorithm),
            proof_of=query.proof_of,
            consistent_with=query.consistent_with,
        )
        is_json, strict = query.format == "json", query.context == "strict"
        if isinstance(found, LongTranscript):
            parts = found.json() if is_json else found.json_ld(strict_context=strict)
            return Streamed(parts, "application/json" if is_json else JSON_LD, tenant_id=request.viewer.tenant_id)
        return Json(found) if is_json else Json(write_document(found, strict_context=strict), media_type=JSON_LD)

    async def verify(self, request: Request) -> Response:
        return Json(await self._provenance.verify(request.actor, request.path["evidence_id"], request.raw_body))
