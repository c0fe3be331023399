"""Fixtures of the tests of imports."""

from tests.cloud.jobs.conftest import desk

__all__ = ["desk"]
