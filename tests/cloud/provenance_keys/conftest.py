"""Fixtures of the tests of provenance keys: a cloud that issues tokens."""

from tests.cloud.tokens.conftest import world

__all__ = ["world"]
