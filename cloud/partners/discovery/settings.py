"""Settings of the discovery documents."""

from pydantic import Field, model_validator

from cloud.foundation.settings import Section
from cloud.partners.discovery.federation import SOURCES_MAX, FederatedSource


class DiscoverySection(Section):
    """`[discovery]`: the API catalogue, and the sources of other installations."""

    strict_link_relations: bool = False
    """If true, the API catalogue gives the attribute `rel` as an array, as RFC 9264 requires. If false, it is a text,
    as in the published contract."""
    sources: tuple[FederatedSource, ...] = Field(default=(), max_length=SOURCES_MAX, strict=False)
    """Sources that tenants reach through Communities of Interest channels."""

    @model_validator(mode="after")
    def _distinct(self) -> "DiscoverySection":
        named = [(one.tenant_id, one.id) for one in self.sources]
        if len(set(named)) != len(named):
            raise ValueError("a tenant has two sources with the same id")
        return self
