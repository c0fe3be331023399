"""Sources of other installations in the list of data schemas, behind one interface.

A Community of Interest (COI) channel connects two installations after both operators have approved it. Until the cloud
exchanges data over such channels itself, the operator writes the approved sources to the settings file. A slice that
connects to them needs to implement `FederatedSources`, and nothing else here changes.
"""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, Field

from cloud.foundation.readable import hidden_character
from cloud.foundation.settings import Section
from cloud.foundation.viewer import SecrecyLevel, SecrecyWord, Viewer

SOURCES_MAX = 100
SCHEMAS_MAX = 200
"""Schemas of one source."""


def _visible(text: str) -> str:
    if hidden_character(text) is not None:
        raise ValueError("has a hidden character")
    return text


Text = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_visible)]


class FederatedSchema(Section):
    """`[[discovery.sources.schemas]]`: a schema that another installation offers."""

    id: Text
    title: Text
    secrecy_level: SecrecyWord = "standard"
    operations: tuple[Text, ...] = Field(default=(), max_length=20, strict=False)
    schema_url: Annotated[str, Field(max_length=2048, pattern=r"^https://[^\s\"<>]+$")]
    """The address of the schema at the other installation. This cloud never opens it."""


class FederatedSource(Section):
    """`[[discovery.sources]]`: another installation that a tenant reaches through a channel."""

    id: Text
    tenant_id: Text
    """The tenant that may see the source."""
    name: Text
    channel: Text
    """The COI channel."""
    approved_on: date | None = None
    """The day on which the channel was approved. A source without it is not listed."""
    secrecy_level: SecrecyWord = "standard"
    """The clearance that a caller needs to see the source."""
    schemas: tuple[FederatedSchema, ...] = Field(default=(), max_length=SCHEMAS_MAX, strict=False)


class FederatedSources(Protocol):
    """Finds the sources of other installations."""

    async def reachable(self, viewer: Viewer, most: SecrecyLevel) -> Sequence[dict[str, Any]]:
        """Return the entries of the sources that the viewer's tenant reaches through approved channels, with their
        schemas, up to the level `most` (contract matrix A-142)."""
        ...


class ConfiguredSources:
    """The sources in the settings file."""

    def __init__(self, sources: Sequence[FederatedSource]) -> None:
        self._sources = [one for one in sources if one.approved_on is not None]

    async def reachable(self, viewer: Viewer, most: SecrecyLevel) -> Sequence[dict[str, Any]]:
        return [
            {
                "source_id": one.id,
                "name": one.name,
                "channel": one.channel,
                "secrecy_level": one.secrecy_level,
                "schemas": [each.model_dump() for each in one.schemas if SecrecyLevel.of(each.secrecy_level) <= most],
            }
            for one in self._sources
            if one.tenant_id == viewer.tenant_id and SecrecyLevel.of(one.secrecy_level) <= most
        ]
