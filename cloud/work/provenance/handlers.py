"""HTTP handlers of transcripts of evidence."""

from cloud.foundation.http import Json, Parts, Request, Response
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
        transcript = await self._provenance.transcript(
            request.viewer,
            request.path["evidence_id"],
            Algorithm(query.algorithm),
            proof_of=query.proof_of,
            consistent_with=query.consistent_with,
        )
        if query.format == "json":
            return Json(transcript)
        return Json(write_document(transcript, strict_context=query.context == "strict"), media_type=JSON_LD)

    async def verify(self, request: Request) -> Response:
        return Json(await self._provenance.verify(request.actor, request.path["evidence_id"], request.raw_body))
