"""The OAuth endpoints: client credentials to access token, and revocation."""

from cloud.access.oauth.surface import TokenSurface, token_surface

__all__ = ["TokenSurface", "token_surface"]
