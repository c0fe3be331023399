"""Fixture of the GraphQL tests: the api host, with a bundle that the app of the caller `north` may send."""

from collections.abc import AsyncIterator

import pytest

from cloud.foundation.db import Database
from tests.builders.api_surface import Api, api
from tests.builders.graphql_bundles import grant_documents


@pytest.fixture
async def here(database: Database) -> AsyncIterator[Api]:
    async with api(database) as served:
        await grant_documents(served)
        yield served
