"""The declaration of `intelligence.enrich.bulk`."""

from cloud.work.enrichment.schemas import EnrichmentPayload, EnrichmentState
from cloud.work.enrichment.work import EnrichmentWork
from cloud.work.jobs import JobKind, always

KINDS = (
    JobKind(
        name="intelligence.enrich.bulk",
        description="Compare profiles with the imported sanctions lists and labels of wallets",
        payload=EnrichmentPayload,
        state=EnrichmentState,
        work=EnrichmentWork,
        scopes=always("argus:profiles:write"),
    ),
)
