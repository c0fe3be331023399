"""Administration begins in the world of the token tests: one tenant, one app, and whoever a test adds."""

from tests.cloud.oauth.conftest import world, world_on_either

__all__ = ["world", "world_on_either"]
