"""Fixtures of the sign-in tests, imported from the OAuth tests: a cloud with one tenant and one app."""

from tests.cloud.oauth.conftest import world, world_on_either

__all__ = ["world", "world_on_either"]
