"""Fixtures: the OpenAPI document and the pages that are made from it, once for each test worker, and their server."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
import pytest
import pytest_asyncio

import cloud.slices  # noqa: F401  declares the scopes and the tags
from cloud.foundation.http import Host, Route
from cloud.partners.discovery import DiscoveryHandlers
from cloud.partners.docs.reference import Reference, read_reference
from cloud.partners.docs.site import DocsSite
from cloud.surface import collect_rows
from tests.builders.http_surface import Surface, surface
from tests.builders.parts import BASES, make_parts


@pytest.fixture(scope="session")
def published() -> tuple[Sequence[Route], bytes]:
    """Return the routes of all slices, and the OpenAPI document made from them."""
    parts = make_parts()
    rows = collect_rows(parts)
    return rows, parts.shared(DiscoveryHandlers.of).documents.json.body


@pytest.fixture(scope="session")
def document(published: tuple[Sequence[Route], bytes]) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(published[1])
    return found


@pytest.fixture(scope="session")
def reference(document: dict[str, Any]) -> Reference:
    return read_reference(document)


@pytest.fixture(scope="session")
def site(published: tuple[Sequence[Route], bytes]) -> DocsSite:
    return DocsSite(lambda: published[1], BASES)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(published: tuple[Sequence[Route], bytes]) -> AsyncIterator[Surface]:
    """Serve the routes of the docs host, and the pages of problem types on the api host."""
    rows = [row for row in published[0] if Host.DOCS in row.hosts or row.path.startswith("/problems")]
    async with surface(*rows) as running:
        yield running
