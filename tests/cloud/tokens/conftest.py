"""Every test about tokens begins in the same small world, on either database."""

import pytest

from cloud.db import Database
from tests.builders.auth_world import AuthWorld, auth_world


@pytest.fixture
async def world(database: Database) -> AuthWorld:
    return await auth_world(database)
