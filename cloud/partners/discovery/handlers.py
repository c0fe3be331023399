"""The handlers of the documents about this interface, which are written once at start and sent from memory, and of the
list of data schemas.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from cloud.access.audit import Audit
from cloud.foundation.http import Bases, Json, NotFound, Parts, Request, Response, Route, strong_etag
from cloud.foundation.viewer import SecrecyLevel
from cloud.partners.discovery.api_catalog import MEDIA_TYPE, catalogue_link, link_set
from cloud.partners.discovery.contract import make_contract
from cloud.partners.discovery.data_schemas import DataSchemas, declared_schemas
from cloud.partners.discovery.deprecations import deprecation_matrix
from cloud.partners.discovery.federation import ConfiguredSources, FederatedSources
from cloud.partners.discovery.schemas import SchemaQuery
from cloud.partners.discovery.settings import DiscoverySection

CACHE_CONTROL = "public, max-age=300"
"""Cache time of the public documents: a client that polls every 5 min sees a change in time (contract matrix A-135)."""
PRIVATE = "private, no-store"
"""For a schema that only some callers may read."""
READ = "argus:discovery:read"


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents about all routes, each as a response."""

    json: Response
    yaml: Response
    catalogue: Response
    deprecations: Response
    schemas: DataSchemas

    @classmethod
    def of(cls, rows: Sequence[Route], bases: Bases, scopes: Mapping[str, str], *, strict: bool) -> "Documents":
        """Write the documents. Raises `RowsDisagree`."""
        contract = make_contract(rows, bases, scopes)
        catalogue = orjson.dumps(link_set(bases, strict=strict))
        deprecations = orjson.dumps(deprecation_matrix(rows, bases))
        return cls(
            json=_public(contract.json, "application/json", contract.json_etag),
            yaml=_public(contract.yaml, "application/yaml", contract.yaml_etag),
            catalogue=_public(catalogue, MEDIA_TYPE, strong_etag(catalogue), Link=catalogue_link(bases)),
            deprecations=_public(deprecations, "application/json", strong_etag(deprecations)),
            schemas=DataSchemas(declared_schemas(), rows, bases),
        )


class DiscoveryHandlers:
    """Handlers of the documents about this interface. Call `publish` once all routes exist."""

    def __init__(self, parts: Parts) -> None:
        settings = parts.settings.section(DiscoverySection)
        self._database = parts.database
        self._audit = Audit(parts.clock)
        self._strict = settings.strict_link_relations
        self._sources: FederatedSources = ConfiguredSources(settings.sources)
        self._documents: Documents | None = None

    def publish(self, rows: Sequence[Route], bases: Bases, scopes: Mapping[str, str]) -> None:
        """Write the documents about the routes `rows`. `scopes` maps the name of each scope to its description. Raises
        `RowsDisagree` if routes contradict each other or need a scope that `scopes` does not have; no document is
        published then."""
        self._documents = Documents.of(rows, bases, scopes, strict=self._strict)

    @property
    def documents(self) -> Documents:
        """Return the documents that `publish` has written."""
        assert self._documents is not None, "the composition root publishes the documents before it serves"
        return self._documents

    @classmethod
    def of(cls, parts: Parts) -> "DiscoveryHandlers":
        """Create the handlers. Call this as `parts.shared(DiscoveryHandlers.of)`, so that a process writes the
        documents once."""
        return cls(parts)

    async def as_json(self, _request: Request) -> Response:
        return self.documents.json

    async def as_yaml(self, _request: Request) -> Response:
        return self.documents.yaml

    async def api_catalog(self, _request: Request) -> Response:
        return self.documents.catalogue

    async def deprecations(self, _request: Request) -> Response:
        return self.documents.deprecations

    async def data_schemas(self, request: Request) -> Response:
        """List the data schemas that exist for the caller, and audit the call (contract C-264 … C-271)."""
        query, viewer = request.query, request.viewer
        assert isinstance(query, SchemaQuery)
        most = viewer.clearance
        if query.secrecy_max is not None:
            most = min(most, SecrecyLevel.of(query.secrecy_max))
        schemas = self.documents.schemas.visible(request.verified, most)
        sources = await self._sources.reachable(viewer, most) if query.include_federated else ()
        seen = {"schemas": len(schemas), "federated_sources": len(sources)}
        async with self._database.transaction() as tx:
            await self._audit.record(tx, request.actor, "discovery.schemas.read", viewer.tenant_id, metadata=seen)
        return Json({"tenant_id": viewer.tenant_id, "schemas": schemas, "federated_sources": sources})

    async def data_schema(self, request: Request) -> Response:
        """Return a data schema. Raises `NotFound`, also for a schema above the caller's clearance (contract matrix
        A-140)."""
        found = self.documents.schemas.documents.get(request.path["id"])
        if found is None:
            raise NotFound
        if found.secrecy_level is SecrecyLevel.STANDARD:
            return _public(found.content, "application/schema+json", found.etag)
        caller = request.caller
        if caller is None or READ not in caller.scopes or found.secrecy_level > caller.viewer.clearance:
            raise NotFound
        headers = {"Cache-Control": PRIVATE}
        return Response(200, found.content, "application/schema+json", headers=headers, etag=found.etag)


def _public(content: bytes, media_type: str, etag: str, **headers: str) -> Response:
    return Response(200, content, media_type, headers={"Cache-Control": CACHE_CONTROL, **headers}, etag=etag)
