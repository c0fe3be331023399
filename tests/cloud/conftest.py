"""Fixtures of all cloud tests: real databases, and password hashes that need little time."""

import pytest

from cloud.access.identity import passwords
from tests.harness.databases import database, database_url, empty_database_url, migrated_sqlite, postgresql

__all__ = ["database", "database_url", "empty_database_url", "migrated_sqlite", "password_cost", "postgresql"]

# The least that argon2 accepts for one lane.
CHEAPEST_KIB = 8


@pytest.fixture(autouse=True)
def password_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduce the cost of a password hash to microseconds; tests of the hash itself restore the product's cost."""
    monkeypatch.setattr(passwords, "MEMORY_KIB", CHEAPEST_KIB)
    monkeypatch.setattr(passwords, "PASSES", 1)
