"""Who comes in: the limits of an address, the token, its tenant and environment, the limits of a client, its scopes.

The order and its reasons are in `pipeline.py`; this file has the checks.
"""

import ipaddress
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Protocol

from cloud.foundation.http.arrival import Arrival
from cloud.foundation.http.errors import (
    HeaderMalformed,
    InsufficientScope,
    InvalidToken,
    OrganizationRequired,
    TenantMismatch,
    TokenMissing,
    TooManyRequests,
)
from cloud.foundation.http.rates import BucketLimiter, Draw, Policy, RateLimiter, address_class
from cloud.foundation.http.request import Caller
from cloud.foundation.http.route import RateClass
from cloud.foundation.http.site import Endpoint
from cloud.foundation.http.verifier import TokenVerifier

# A token of ours is about one kilobyte; anything much longer is refused before it is looked at (S-053).
TOKEN_OCTETS_MAX = 4096

SIGNATURE_CHECKS = Policy("signature-checks", 6_000)
"""Signatures that are checked a minute for one address class beyond its failures, unless they turn out to be good.

A check of 3072 bits takes some 50 µs, so this is 0.5 % of a core for each address that floods. It is as many as a
client may send requests, so clients that share an address with a flood are let in as long as the flood is slower."""

FLOODING_MAX = 10_000
"""Addresses that are remembered for it, a megabyte of them. When more flood, all are forgotten, which costs each of
them one signature check more."""

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Requests a minute. With a token they count for each tenant and client, without one for each address class."""

    standard: int = 6_000
    write: int = 6_000
    public: int = 1_200
    token: int = 300
    test: int = 60
    """Requests that make us call somebody else's server, which must not become a way to flood it."""
    health: int = 6_000
    failures: int = 30
    """Missing and wrong tokens from one address class, and likewise wrong client secrets, before it has to wait."""

    def policies(self) -> Mapping[RateClass, Policy]:
        return {
            RateClass.STANDARD: Policy("standard", self.standard),
            RateClass.WRITE: Policy("write", self.write),
            RateClass.PUBLIC: Policy("public", self.public),
            RateClass.TOKEN: Policy("token", self.token),
            RateClass.TEST: Policy("test", self.test),
            RateClass.HEALTH: Policy("health", self.health),
        }


class Progress(Protocol):
    """What admission writes down about a request."""

    caller: Caller | None
    limits: Mapping[str, str] | None


class Admission:
    """The checks before a handler. `signature_checks` counts for this process alone, whose processor time it protects;
    `proxies`: networks whose X-Forwarded-For is believed, none by default."""

    def __init__(
        self,
        verifier: TokenVerifier,
        limiter: RateLimiter,
        signature_checks: BucketLimiter,
        *,
        types_at: str,
        quotas: Quotas | None = None,
        proxies: Sequence[Network] = (),
    ) -> None:
        quotas = quotas or Quotas()
        self.types_at = types_at
        self._verifier = verifier
        self._limiter = limiter
        self._signature_checks = signature_checks
        self._flooding: set[str] = set()
        """Addresses that have used their failures up. Nearly always empty, so that a valid token is not held up."""
        self._proxies = proxies
        self._policies = quotas.policies()
        self._token_failures = Policy("failures", quotas.failures)
        self._secret_failures = Policy("client-failures", quotas.failures)

    async def admit(self, arrival: Arrival, endpoint: Endpoint, progress: Progress) -> None:
        """Fills in the caller and what the limits have left, or raises why it may not come in."""
        if not endpoint.needs_token:
            if endpoint.authenticates_client:
                self._check_failures(self._secret_failures, arrival)
            self._draw(progress, self._policies[endpoint.route.rate_class], address_class(self.address_of(arrival)))
            return
        caller = progress.caller = await self._caller(arrival, endpoint)
        viewer = caller.viewer
        self._draw(progress, self._policies[endpoint.route.rate_class], (viewer.tenant_id, caller.client_id))
        route = endpoint.route
        if route.scopes.names and caller.scopes.isdisjoint(route.scopes.names):
            challenge = f'Bearer realm="argus", error="insufficient_scope", scope="{endpoint.scope}"'
            raise InsufficientScope(headers={"WWW-Authenticate": challenge})
        if route.needs_organization and viewer.organization_id is None:
            raise OrganizationRequired

    def stranger(self, arrival: Arrival, progress: Progress) -> None:
        """A request that no row answers: it costs its address."""
        self._draw(progress, self._policies[RateClass.PUBLIC], address_class(self.address_of(arrival)))
        progress.limits = None  # only a refusal says so: on a 404 the fields would suggest that there was something

    def count_wrong_secret(self, arrival: Arrival) -> None:
        """A wrong client secret came from this address."""
        self._limiter.draw(self._secret_failures, address_class(self.address_of(arrival)))

    def address_of(self, arrival: Arrival) -> str:
        """The client's address: the peer's, or what a trusted proxy reports. What is no address is not believed."""
        peer = arrival.protocol.peername
        address = str(peer[0]) if isinstance(peer, tuple) and peer else "-"
        if not self._proxies:
            return address
        hops = ", ".join(arrival.headers.getall("X-Forwarded-For", ())).split(",")
        while hops and self._trusted(address):
            hop = hops.pop().strip()
            if _parse_address(hop) is None:
                break
            address = hop
        return address

    def _trusted(self, address: str) -> bool:
        parsed = _parse_address(address)
        return parsed is not None and any(parsed in network for network in self._proxies)

    def _check_failures(self, policy: Policy, arrival: Arrival) -> None:
        draw = self._limiter.look(policy, address_class(self.address_of(arrival)))
        if not draw.allowed:
            raise _too_many_failures(draw)

    def _draw(self, progress: Progress, policy: Policy, key: Hashable) -> None:
        draw: Draw = self._limiter.draw(policy, key)
        progress.limits = draw.fields()
        if not draw.allowed:
            raise TooManyRequests(headers=draw.fields())

    async def _caller(self, arrival: Arrival, endpoint: Endpoint) -> Caller:
        headers = arrival.headers
        given = headers.getall("Authorization", ())
        if len(given) > 1:
            raise HeaderMalformed("(Authorization is given twice.)")
        scheme, _, token = given[0].partition(" ") if given else ("", "", "")
        if scheme.lower() != "bearer":
            self._count_failure(arrival)
            raise TokenMissing(headers={"WWW-Authenticate": 'Bearer realm="argus"'})
        if len(token) > TOKEN_OCTETS_MAX:
            self._count_failure(arrival)
            raise _invalid_token("")
        caller = await self._verify(arrival, endpoint, token)
        tenant = headers.get("X-Tenant-ID")
        if tenant is not None and tenant != caller.viewer.tenant_id:
            raise TenantMismatch
        return caller

    async def _verify(self, arrival: Arrival, endpoint: Endpoint, token: str) -> Caller:
        """The caller of a token. A good one is let in whatever others at its address did wrong (A-012).

        Once the address has used its failures up, only checks of signatures that turn out to be good are free.
        """
        checked_for = self._draw_signature_check(arrival, token) if self._flooding else None
        try:
            return await self._verifier.verify(token, endpoint.site.host)
        except InvalidToken as error:
            checked_for = None
            self._count_failure(arrival)
            raise _invalid_token(error.detail) from None
        finally:
            if checked_for is not None:
                self._signature_checks.refund(SIGNATURE_CHECKS, checked_for)

    def _draw_signature_check(self, arrival: Arrival, token: str) -> str | None:
        """The address whose signature checks this token was charged to, None when it costs none."""
        address = address_class(self.address_of(arrival))
        if address not in self._flooding:
            return None
        if self._limiter.look(self._token_failures, address).allowed:
            self._flooding.discard(address)
            return None
        if not self._verifier.needs_arithmetic(token):
            return None
        check = self._signature_checks.draw(SIGNATURE_CHECKS, address)
        if not check.allowed:
            raise _too_many_failures(check)
        return address

    def _count_failure(self, arrival: Arrival) -> None:
        """A missing or wrong token came from this address. Raises `TooManyRequests` when it was one too many."""
        address = address_class(self.address_of(arrival))
        draw = self._limiter.draw(self._token_failures, address)
        if not draw.allowed:
            if len(self._flooding) >= FLOODING_MAX:
                self._flooding.clear()
            self._flooding.add(address)
            raise _too_many_failures(draw)


def _parse_address(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _too_many_failures(draw: Draw) -> TooManyRequests:
    return TooManyRequests("(Too many attempts failed.)", headers={"Retry-After": str(draw.retry_after_s)})


def _invalid_token(detail: str) -> InvalidToken:
    return InvalidToken(detail, headers={"WWW-Authenticate": 'Bearer realm="argus", error="invalid_token"'})
