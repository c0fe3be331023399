"""Fixtures of every cloud test: real databases, and passwords that cost little."""

import pytest

from cloud.access.identity import passwords
from tests.harness.databases import database, database_url, empty_database_url, migrated_sqlite, postgresql

__all__ = ["database", "database_url", "empty_database_url", "migrated_sqlite", "password_cost", "postgresql"]

# The least that argon2 accepts for one lane.
CHEAPEST_KIB = 8


@pytest.fixture(autouse=True)
def password_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords in microseconds; the tests whose subject is the hash override this with the shipped cost."""
    monkeypatch.setattr(passwords, "MEMORY_KIB", CHEAPEST_KIB)
    monkeypatch.setattr(passwords, "PASSES", 1)
