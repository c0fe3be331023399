"""Settings of the four hosts and of their limits."""

import ipaddress
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from cloud.foundation.http.host import Host
from cloud.foundation.settings import Listen, PublicUrl, Section, Settings, SettingsUnusable


class HostSection(Section):
    """`[hosts.NAME]`: one of the four hosts."""

    listen: Listen
    """HOST:PORT. Hosts with the same address share it and are told apart by the request's Host."""
    public_url: PublicUrl
    """The address that clients use; everything that names this host (tokens, links, documents) derives from it."""


class HostsSection(Section):
    """`[hosts]`: all four, or the section is left out."""

    auth: HostSection
    api: HostSection
    sandbox: HostSection
    docs: HostSection

    @model_validator(mode="after")
    def _distinct(self) -> "HostsSection":
        names = [self.auth, self.api, self.sandbox, self.docs]
        shared = [host.public_url for host in names if [other.listen for other in names].count(host.listen) > 1]
        if len(set(shared)) != len(shared):
            raise ValueError("hosts that share an address need different public_url names, or nothing tells them apart")
        return self


def _network(value: object) -> str:
    try:
        return str(ipaddress.ip_network(value)) if isinstance(value, str) else _not_a_network()
    except ValueError:
        return _not_a_network()


def _not_a_network() -> str:
    raise ValueError('write an address or a network in quotes, for instance "10.0.0.0/8" or "::1"')


class HttpSection(Section):
    """`[http]`: limits of the four hosts. Requests with a token count for each tenant and client, others for each
    address (IPv6: each /64)."""

    requests_per_minute: int = Field(default=6_000, ge=1)
    """Reading requests of one client."""
    writes_per_minute: int = Field(default=6_000, ge=1)
    """Changing requests of one client."""
    public_per_minute: int = Field(default=1_200, ge=1)
    """Requests without a token from one address."""
    tokens_per_minute: int = Field(default=300, ge=1)
    """Token requests from one address."""
    failures_per_minute: int = Field(default=30, ge=1)
    """Missing and wrong tokens from one address, and likewise wrong secrets, before it has to wait. A valid token never
    waits for them."""
    trusted_proxies: tuple[Annotated[str, BeforeValidator(_network)], ...] = Field(default=(), strict=False)
    """Reverse proxies whose `X-Forwarded-For` says who the client is. Without them it is the peer of the connection."""


def bases_of(settings: Settings) -> dict[Host, str]:
    """Return the public address of each host. Raises `SettingsUnusable`."""
    hosts = settings.find(HostsSection)
    if hosts is None:
        raise SettingsUnusable("([hosts.auth], [hosts.api], [hosts.sandbox] and [hosts.docs] are required.)")
    return {host: getattr(hosts, host.value).public_url for host in Host}
