"""Settings of the HTTP client for requests to other servers."""

from pydantic import Field

from cloud.foundation.egress.target import AllowList
from cloud.foundation.settings import Listen, Section, Settings


class EgressSection(Section):
    """`[egress]`: the addresses to which the cloud may send requests. Without this section: https to
    public addresses."""

    allow: tuple[Listen, ...] = Field(default=(), strict=False)
    """Exact HOST:PORT pairs, written as in a URL, that are allowed although they are http, loopback or private, for
    instance `["127.0.0.1:9000"]`. Every client that may register a webhook can reach these addresses in your network.
    """


def allow_list(settings: Settings) -> AllowList:
    """Return the host and port pairs that the settings allow. Without this list, the address check could refuse these
    addresses."""
    return AllowList([(pair.host, pair.port) for pair in settings.section(EgressSection).allow])
