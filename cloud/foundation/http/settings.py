"""Settings of the four hosts and of their limits."""

import ipaddress
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from cloud.foundation.http.host import Host
from cloud.foundation.settings import Listen, PublicUrl, Section, Settings, SettingsUnusable


class HostSection(Section):
    """`[hosts.NAME]`: one of the four hosts."""

    listen: Listen
    """HOST:PORT. Hosts may share an address; the Host header of a request then selects one of them."""
    public_url: PublicUrl
    """The address that clients use. Tokens, links and documents contain it as the address of this host."""


class HostsSection(Section):
    """`[hosts]`: all four hosts. The section may only be omitted as a whole."""

    auth: HostSection
    api: HostSection
    sandbox: HostSection
    docs: HostSection

    @model_validator(mode="after")
    def _distinct(self) -> "HostsSection":
        names = [self.auth, self.api, self.sandbox, self.docs]
        shared = [host.public_url for host in names if [other.listen for other in names].count(host.listen) > 1]
        if len(set(shared)) != len(shared):
            raise ValueError("hosts that share an address need different public_url names, found by the Host header")
        return self


def _network(value: object) -> str:
    try:
        return str(ipaddress.ip_network(value)) if isinstance(value, str) else _not_a_network()
    except ValueError:
        return _not_a_network()


def _not_a_network() -> str:
    raise ValueError('write an address or a network in quotes, for instance "10.0.0.0/8" or "::1"')


class HttpSection(Section):
    """`[http]`: limits of the four hosts. Requests with a token are counted per tenant and client, others per address
    (IPv6: per /64)."""

    requests_per_minute: int = Field(default=6_000, ge=1)
    """Requests of one client that read data."""
    writes_per_minute: int = Field(default=6_000, ge=1)
    """Requests of one client that change data."""
    public_per_minute: int = Field(default=1_200, ge=1)
    """Requests without a token from one address."""
    tokens_per_minute: int = Field(default=300, ge=1)
    """Token requests from one address."""
    failures_per_minute: int = Field(default=30, ge=1)
    """Missing and wrong tokens from one address before it gets 429, and separately wrong client secrets. Valid tokens
    are not affected."""
    trusted_proxies: tuple[Annotated[str, BeforeValidator(_network)], ...] = Field(default=(), strict=False)
    """Reverse proxies whose `X-Forwarded-For` is trusted for the client's address. For any other peer, the address of
    the connection is the client's."""


def bases_of(settings: Settings) -> dict[Host, str]:
    """Return the public address of each host. Raises `SettingsUnusable`."""
    hosts = settings.find(HostsSection)
    if hosts is None:
        raise SettingsUnusable("([hosts.auth], [hosts.api], [hosts.sandbox] and [hosts.docs] are required.)")
    return {host: getattr(hosts, host.value).public_url for host in Host}
