"""The claims of access tokens (RFC 9068 §2.2, contract A-026) and their check.

`read` takes the payload of a token whose signature has been verified. It is stricter than a JWT library: every claim
must be present with its exact type, and times are whole seconds. Even a fault in minting cannot make a token that never
expires, because the lifetime has an upper limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from cloud.access.apps import ENTITLED, ScopeUnknown, read_scopes
from cloud.foundation.ids import SHAPE
from cloud.foundation.viewer import SecrecyLevel
from protocols.stream_value import stream_value

SANDBOX = "sandbox"
ACCESS_TTL_S = 3600
SERVICE_TTL_S = 24 * 3600
SERVICE_TTL_S_MAX = 90 * 24 * 3600

_LEVELS = {level.word: level for level in SecrecyLevel}


class TokenUse(StrEnum):
    """The purpose of a token, as in the claim `token_use`."""

    ACCESS = "access"
    SERVICE = "service"
    SANDBOX = "sandbox"


TTL_S_MAX = {TokenUse.ACCESS: ACCESS_TTL_S, TokenUse.SERVICE: SERVICE_TTL_S_MAX, TokenUse.SANDBOX: SERVICE_TTL_S}


class ClaimsRefused(Exception):
    """These claims are not those of a token of ours. The reason is for tests alone: the response is always the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The public addresses of the auth host (the issuer) and of the API host. Every token except those of the sandbox
    has one or both addresses as its audience."""

    issuer: str
    api: str

    @property
    def audiences(self) -> frozenset[str]:
        """The values that the claim `aud` of a token may contain, except for tokens of the sandbox."""
        return frozenset((self.issuer, self.api))


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The claims that are equal in all tokens of one grant: who holds the token, and with which rights.
    `organization_id` None: the rights apply to the whole tenant."""

    subject: str
    audience: frozenset[str]
    client_id: str
    scopes: tuple[str, ...]
    tenant_id: str
    organization_id: str | None
    clearance: SecrecyLevel
    use: TokenUse

    @property
    def user_id(self) -> str | None:
        """The id of the user for whom the app acts; None when the app acts for itself."""
        return None if self.subject == self.client_id else self.subject


@stream_value
class Claims:
    """The claims of one token. Times are seconds since 1970. `auth_time_s` None: no user signed in for this token."""

    holder: Holder
    jti: str
    issued_at_s: int
    expires_at_s: int
    auth_time_s: int | None = None

    @property
    def client_id(self) -> str:
        return self.holder.client_id

    @property
    def scopes(self) -> tuple[str, ...]:
        return self.holder.scopes

    def document(self, names: Names) -> dict[str, Any]:
        """Return the token's payload, without claims that are None. The API host is the first audience in `aud`."""
        who = self.holder
        return {
            "iss": names.issuer,
            "sub": who.subject,
            "aud": SANDBOX if who.use is TokenUse.SANDBOX else sorted(who.audience, key=lambda one: one != names.api),
            "exp": self.expires_at_s,
            "iat": self.issued_at_s,
            "nbf": self.issued_at_s,
            "jti": self.jti,
            "client_id": who.client_id,
            "scope": " ".join(who.scopes),
            "tenant_id": who.tenant_id,
            **({} if who.organization_id is None else {"organization_id": who.organization_id}),
            "secrecy_level": who.clearance.word,
            "token_use": who.use.value,
            **({} if self.auth_time_s is None else {"auth_time": self.auth_time_s}),
        }


def read(payload: Mapping[str, Any], names: Names) -> Claims:
    """Read the claims of a token's payload and check everything that does not depend on the time. Raises
    `ClaimsRefused`."""
    try:
        audience = payload["aud"]
        holder = _holder(
            payload["iss"],
            payload["sub"],
            tuple(audience) if type(audience) is list else _single_audience(audience),
            payload["client_id"],
            payload["scope"],
            payload["tenant_id"],
            payload.get("organization_id", NONE),
            payload["secrecy_level"],
            payload["token_use"],
            names,
        )
        issued_s, expires_s, from_s = payload["iat"], payload["exp"], payload["nbf"]
        jti = _id(payload["jti"])
    except (KeyError, ValueError, TypeError, AttributeError, ScopeUnknown):
        raise ClaimsRefused("a claim is absent or malformed") from None
    # To isinstance a bool is an int, and a lenient reader accepts 1e308 as a number of seconds.
    if type(issued_s) is not int or type(expires_s) is not int or type(from_s) is not int:
        raise ClaimsRefused("a time is not a whole number")
    if from_s != issued_s or not issued_s < expires_s <= issued_s + TTL_S_MAX[holder.use]:
        raise ClaimsRefused("lifetime")
    return Claims(holder, jti, issued_s, expires_s, payload.get("auth_time"))


NONE = "~"
"""Stands for an absent claim; no id has this character."""


def _single_audience(audience: object) -> str:
    """Return the sandbox's audience, the only one that may be a single string instead of a list. Raises `ValueError`
    for any other value."""
    if audience != SANDBOX:
        raise ValueError
    return SANDBOX


@lru_cache(maxsize=4096)
def _holder(
    issuer: str,
    subject: str,
    audience: tuple[str, ...] | str,
    client_id: str,
    scope: str,
    tenant_id: str,
    organization_id: str,
    level: str,
    token_use: str,
    names: Names,
) -> Holder:
    """Check these claims of a token and build the `Holder` from them. The result is cached for further tokens with the
    same claims. Call this only with claims from a payload whose signature was verified. Raises `ValueError` and
    `KeyError`."""
    use = TokenUse(token_use)
    audiences = frozenset((SANDBOX,)) if audience == SANDBOX else frozenset(audience)
    if issuer != names.issuer or (use is TokenUse.SANDBOX) != (audience == SANDBOX):
        raise ValueError
    if use is not TokenUse.SANDBOX and not audiences <= names.audiences:
        raise ValueError
    return Holder(
        subject=_id(subject),
        audience=audiences,
        client_id=_id(client_id),
        scopes=read_scopes(scope, entitled=ENTITLED),
        tenant_id=_id(tenant_id),
        organization_id=None if organization_id == NONE else _id(organization_id),
        clearance=_LEVELS[level],
        use=use,
    )


def _id(value: object) -> str:
    if not isinstance(value, str) or SHAPE.fullmatch(value) is None:
        raise ValueError
    return value
