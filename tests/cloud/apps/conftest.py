"""Fixtures of the tests of apps: the fixtures of the token tests."""

from tests.cloud.oauth.conftest import world, world_on_either

__all__ = ["world", "world_on_either"]
