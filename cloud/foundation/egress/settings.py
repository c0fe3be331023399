"""Settings of the guarded client."""

from pydantic import Field

from cloud.foundation.settings import Listen, Section


class EgressSection(Section):
    """`[egress]`: what the cloud may call. Without it: https to public addresses."""

    allow: tuple[Listen, ...] = Field(default=(), strict=False)
    """Exact HOST:PORT pairs, as they stand in a URL, that may be called although they are http, loopback or private,
    for instance `["127.0.0.1:9000"]`. Each is a door into your network for whoever may register a webhook."""
