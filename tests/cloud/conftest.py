"""Fixtures of every cloud test: real databases."""

from tests.harness.databases import database, database_url, empty_database_url, migrated_sqlite, postgresql

__all__ = ["database", "database_url", "empty_database_url", "migrated_sqlite", "postgresql"]
