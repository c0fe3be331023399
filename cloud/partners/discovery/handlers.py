"""The handlers of the OpenAPI document, which is written once at start and sent from memory as JSON and YAML."""

from collections.abc import Mapping, Sequence

from cloud.foundation.http import Bases, Parts, Request, Response, Route
from cloud.partners.discovery.contract import Contract, make_contract

CACHE_CONTROL = "public, max-age=300"
"""Cache time of the OpenAPI document and of the key set: a client that polls every 5 min sees a change in time
(contract matrix A-135)."""


class DiscoveryHandlers:
    """Handlers of the OpenAPI document, which describes all routes. Call `publish` once all routes exist."""

    def __init__(self) -> None:
        self._contract: Contract | None = None

    def publish(self, rows: Sequence[Route], bases: Bases, scopes: Mapping[str, str]) -> None:
        """Generate the OpenAPI document of the routes `rows`. `scopes` maps the name of each scope to its description.
        Raises `RowsDisagree` if routes contradict each other or need a scope that `scopes` does not have; no document
        is published then."""
        self._contract = make_contract(rows, bases, scopes)

    @property
    def contract(self) -> Contract:
        """Return the OpenAPI document that `publish` generated."""
        assert self._contract is not None, "the composition root publishes the contract before it serves"
        return self._contract

    @classmethod
    def of(cls, _parts: Parts) -> "DiscoveryHandlers":
        """Create the handlers of the OpenAPI document. Call this as `parts.shared(DiscoveryHandlers.of)`, so that a
        process has one document."""
        return cls()

    async def as_json(self, _request: Request) -> Response:
        contract = self.contract
        headers = {"Cache-Control": CACHE_CONTROL}
        return Response(200, contract.json, "application/json", headers=headers, etag=contract.json_etag)

    async def as_yaml(self, _request: Request) -> Response:
        contract = self.contract
        headers = {"Cache-Control": CACHE_CONTROL}
        return Response(200, contract.yaml, "application/yaml", headers=headers, etag=contract.yaml_etag)
