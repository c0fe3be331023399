"""Admit a request: check token, tenant, environment, rate limits, scopes and organisation. `pipeline.py` states the
order of the checks.
"""

import ipaddress
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from cloud.foundation.http.errors import (
    HeaderMalformed,
    InsufficientScope,
    InvalidToken,
    NotFound,
    OrganizationRequired,
    Refused,
    TenantMismatch,
    TokenMissing,
    TooManyRequests,
)
from cloud.foundation.http.incoming_request import IncomingRequest
from cloud.foundation.http.rates import BucketLimiter, Draw, Policy, RateLimiter, address_class
from cloud.foundation.http.request import Caller
from cloud.foundation.http.route import RateClass
from cloud.foundation.http.site import Endpoint
from cloud.foundation.http.verifier import TokenVerifier

TOKEN_LENGTH_MAX = 4096
"""Our tokens have about one kilobyte. A much longer one is refused without parsing it (contract matrix S-053)."""

SIGNATURE_CHECKS = Policy("signature-checks", 6_000)
"""Signature checks per minute for an address class with too many failures; valid signatures do not count. A check takes
about 50 µs, so this is 0.5 % of a core. Clients that share an address with a slower flood are still admitted."""

FLOODING_MAX = 10_000
"""Flooding addresses that are remembered, in about a megabyte. When there are more, all are forgotten, and each of them
gets one more signature check."""

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The rate limits, in requests per minute, of each class of routes. Requests with a token are counted for each
    tenant and client, other requests for each address class (an IPv4 address or an IPv6 /64)."""

    standard: int = 6_000
    write: int = 6_000
    public: int = 1_200
    token: int = 300
    test: int = 60
    """Requests that make the cloud call another server, which must not be flooded in this way."""
    health: int = 6_000
    failures: int = 30
    """Missing and wrong tokens of one address class. Wrong client secrets have the same quota, counted separately."""

    def policies(self) -> Mapping[RateClass, Policy]:
        return {
            RateClass.STANDARD: Policy("standard", self.standard),
            RateClass.WRITE: Policy("write", self.write),
            RateClass.PUBLIC: Policy("public", self.public),
            RateClass.TOKEN: Policy("token", self.token),
            RateClass.TEST: Policy("test", self.test),
            RateClass.HEALTH: Policy("health", self.health),
        }


@dataclass(frozen=True, slots=True)
class Admitted:
    """The result of the admission of a request. `caller` is None if the route needs no token. `limits` are the
    RateLimit headers of the response. `refusal` is the reason why a known caller may not continue, or None."""

    caller: Caller | None
    limits: Mapping[str, str]
    refusal: Refused | None


class Admission:
    """Admits requests. `signature_checks` limits the processor time for checks of token signatures. `types_at` is the
    public address of the api host. `proxies` are the networks whose X-Forwarded-For is trusted."""

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
        """Address classes with too many failures. Nearly always empty, so that a valid token is not delayed."""
        self._proxies = proxies
        self._policies = quotas.policies()
        self._token_failures = Policy("failures", quotas.failures)
        self._secret_failures = Policy("client-failures", quotas.failures)

    async def admit(self, request: IncomingRequest, endpoint: Endpoint) -> Admitted:
        """Check a request; return its caller and rate limits. Raises the error of a missing or invalid token, and
        `TooManyRequests` for an address with too many failures. Any other error is returned as `refusal` in the result.
        """
        caller: Caller | None = None
        key: Hashable
        if endpoint.needs_token or (endpoint.takes_token and "Authorization" in request.headers):
            caller = await self._verify_caller(request, endpoint)
            key = caller.viewer.tenant_id, caller.client_id
        else:
            if endpoint.authenticates_client:
                self._check_failures(self._secret_failures, request)
            key = self._address_class(request)
        draw = self._limiter.draw(self._policies[endpoint.route.rate_class], key)
        fields = draw.fields()
        refusal = _find_refusal(endpoint, caller) if draw.allowed else TooManyRequests(headers=fields)
        return Admitted(caller, fields, refusal)

    def charge_unrouted(self, request: IncomingRequest) -> None:
        """Count a request without a matching route towards the rate limit of its sender's address. Raises
        `TooManyRequests` with RateLimit headers. A 404 has no such headers, since they would suggest that the path
        exists."""
        draw = self._limiter.draw(self._policies[RateClass.PUBLIC], self._address_class(request))
        if not draw.allowed:
            raise TooManyRequests(headers=draw.fields())

    def count_wrong_secret(self, request: IncomingRequest) -> None:
        """Count a wrong client secret as a failure of the sender's address."""
        self._limiter.draw(self._secret_failures, self._address_class(request))

    def address_of(self, request: IncomingRequest) -> str:
        """Return the client's address: the address of the connection or, behind a trusted proxy, the address that the
        proxy reports. An X-Forwarded-For entry that is not an IP address is ignored, with all entries before it."""
        address = request.connection.peer_address
        if not self._proxies:
            return address
        hops = ", ".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        while hops and self._is_trusted(address):
            hop = hops.pop().strip()
            if _parse_address(hop) is None:
                break
            address = hop
        return address

    def _address_class(self, request: IncomingRequest) -> str:
        return address_class(self.address_of(request))

    def _is_trusted(self, address: str) -> bool:
        parsed = _parse_address(address)
        return parsed is not None and any(parsed in network for network in self._proxies)

    def _check_failures(self, policy: Policy, request: IncomingRequest) -> None:
        draw = self._limiter.look(policy, self._address_class(request))
        if not draw.allowed:
            raise _too_many_failures(draw)

    async def _verify_caller(self, request: IncomingRequest, endpoint: Endpoint) -> Caller:
        headers = request.headers
        given = headers.getall("Authorization", ())
        if len(given) > 1:
            raise HeaderMalformed("(Authorization is given twice.)")
        scheme, _, token = given[0].partition(" ") if given else ("", "", "")
        if scheme.lower() != "bearer":
            self._count_failure(request)
            raise TokenMissing(headers={"WWW-Authenticate": 'Bearer realm="argus"'})
        if len(token) > TOKEN_LENGTH_MAX:
            self._count_failure(request)
            raise _invalid_token("")
        caller = await self._verify(request, endpoint, token)
        tenant = headers.get("X-Tenant-ID")
        if tenant is not None and tenant != caller.viewer.tenant_id:
            raise TenantMismatch
        return caller

    async def _verify(self, request: IncomingRequest, endpoint: Endpoint, token: str) -> Caller:
        """Return the caller of a token. After too many failures from one address, the signature checks for that address
        are limited. A check that finds a valid signature does not count towards the limit. So wrong tokens from an
        address rarely cause a valid token from the same address to be refused (contract matrix A-012)."""
        checked_for = self._draw_signature_check(request, token) if self._flooding else None
        try:
            return await self._verifier.verify(token, endpoint.site.host)
        except InvalidToken as error:
            checked_for = None
            self._count_failure(request)
            raise _invalid_token(error.detail) from None
        finally:
            if checked_for is not None:
                self._signature_checks.refund(SIGNATURE_CHECKS, checked_for)

    def _draw_signature_check(self, request: IncomingRequest, token: str) -> str | None:
        """Count the signature check of this token against the sender's address, if the address has had too many
        failures. Return the counted address class, so that the caller can cancel the count; None when nothing was
        counted. Raises `TooManyRequests`."""
        address = self._address_class(request)
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

    def _count_failure(self, request: IncomingRequest) -> None:
        """Count a missing or wrong token against the sender's address. Raises `TooManyRequests` after too many
        failures."""
        address = self._address_class(request)
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


def _find_refusal(endpoint: Endpoint, caller: Caller | None) -> Refused | None:
    """Return the error if the caller lacks a scope or an organisation that the endpoint needs; otherwise None."""
    if caller is None:
        return None
    route = endpoint.route
    if route.scopes.names and caller.scopes.isdisjoint(route.scopes.names):
        if route.concealed:
            return NotFound()
        challenge = f'Bearer realm="argus", error="insufficient_scope", scope="{endpoint.scope}"'
        return InsufficientScope(headers={"WWW-Authenticate": challenge})
    return OrganizationRequired() if route.needs_organization and caller.viewer.organization_id is None else None


def _too_many_failures(draw: Draw) -> TooManyRequests:
    return TooManyRequests("(Too many attempts failed.)", headers={"Retry-After": str(draw.retry_after_s)})


def _invalid_token(detail: str) -> InvalidToken:
    return InvalidToken(detail, headers={"WWW-Authenticate": 'Bearer realm="argus", error="invalid_token"'})
