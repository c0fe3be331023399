"""Fixtures of the sign-in tests: the fixtures of the token tests, with one tenant and one app."""

from tests.cloud.oauth.conftest import world, world_on_either

__all__ = ["world", "world_on_either"]
