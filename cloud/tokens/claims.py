"""The claims of our access tokens (RFC 9068 §2.2, matrix A-026): what they are and how they are checked.

`read` takes the decoded payload of a token whose signature has been verified. It is stricter than a JWT library: every
claim must be there with its own type, times are whole seconds, and the lifetime has an upper limit, so that not even a
mistake of ours can make an eternal token.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from cloud.apps import read_scopes
from cloud.apps.scopes import ScopeUnknown
from cloud.ids import SHAPE
from cloud.tenancy import SecrecyLevel

SANDBOX = "sandbox"
SKEW_S = 60
"""How far ahead another of our machines' clocks may be."""
ACCESS_TTL_S = 3600
SERVICE_TTL_S = 24 * 3600
SERVICE_TTL_S_MAX = 90 * 24 * 3600

_LEVELS = {level.word: level for level in SecrecyLevel}


class TokenUse(StrEnum):
    """What a token was minted for."""

    ACCESS = "access"
    SERVICE = "service"
    SANDBOX = "sandbox"


TTL_S_MAX = {TokenUse.ACCESS: ACCESS_TTL_S, TokenUse.SERVICE: SERVICE_TTL_S_MAX, TokenUse.SANDBOX: SERVICE_TTL_S}


class ClaimsRefused(Exception):
    """These claims are not those of a token of ours. Why is for tests alone: the answer is always the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Who issues and for whom: public addresses of the auth and the api host."""

    issuer: str
    api: str

    @property
    def audiences(self) -> frozenset[str]:
        """Everything that may stand in a live token's `aud`."""
        return frozenset((self.issuer, self.api))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a token says. `organization_id` None: none; `user_id` None: no person is behind it. Times are seconds."""

    subject: str
    audience: frozenset[str]
    client_id: str
    scopes: tuple[str, ...]
    tenant_id: str
    organization_id: str | None
    clearance: SecrecyLevel
    use: TokenUse
    jti: str
    issued_at_s: int
    expires_at_s: int
    auth_time_s: int | None = None

    @property
    def user_id(self) -> str | None:
        return None if self.subject == self.client_id else self.subject

    def document(self, names: Names) -> dict[str, Any]:
        """The payload. The api stands first in `aud`; a claim that does not apply is left out."""
        return {
            "iss": names.issuer,
            "sub": self.subject,
            "aud": SANDBOX if self.use is TokenUse.SANDBOX else sorted(self.audience, key=lambda one: one != names.api),
            "exp": self.expires_at_s,
            "iat": self.issued_at_s,
            "nbf": self.issued_at_s,
            "jti": self.jti,
            "client_id": self.client_id,
            "scope": " ".join(self.scopes),
            "tenant_id": self.tenant_id,
            **({} if self.organization_id is None else {"organization_id": self.organization_id}),
            "secrecy_level": self.clearance.word,
            "token_use": self.use.value,
            **({} if self.auth_time_s is None else {"auth_time": self.auth_time_s}),
        }


def read(payload: Mapping[str, Any], names: Names) -> Claims:
    """Check everything that does not depend on the time of asking. Raises `ClaimsRefused`."""
    if payload.get("iss") != names.issuer:
        raise ClaimsRefused("iss")
    try:
        use = TokenUse(payload["token_use"])
        issued_s, expires_s, from_s = payload["iat"], payload["exp"], payload["nbf"]
        audience = payload["aud"]
        claims = Claims(
            subject=_id(payload["sub"]),
            audience=frozenset((SANDBOX,)) if audience == SANDBOX else frozenset(audience),
            client_id=_id(payload["client_id"]),
            scopes=_scopes(payload["scope"]),
            tenant_id=_id(payload["tenant_id"]),
            organization_id=_id(payload["organization_id"]) if "organization_id" in payload else None,
            clearance=_LEVELS[payload["secrecy_level"]],
            use=use,
            jti=_id(payload["jti"]),
            issued_at_s=issued_s,
            expires_at_s=expires_s,
            auth_time_s=payload.get("auth_time"),
        )
    except (KeyError, ValueError, TypeError, AttributeError, ScopeUnknown):
        raise ClaimsRefused("a claim is absent or malformed") from None
    # bool is an int to isinstance, and 1e308 is a number of seconds to a lenient reader.
    if type(issued_s) is not int or type(expires_s) is not int or type(from_s) is not int:
        raise ClaimsRefused("a time is not a whole number")
    if from_s != issued_s or not issued_s < expires_s <= issued_s + TTL_S_MAX[use]:
        raise ClaimsRefused("lifetime")
    if (use is TokenUse.SANDBOX) != (audience == SANDBOX):
        raise ClaimsRefused("the audience does not fit the use")
    if use is not TokenUse.SANDBOX and (type(audience) is not list or not claims.audience <= names.audiences):
        raise ClaimsRefused("aud")
    return claims


@lru_cache(maxsize=1024)
def _scopes(text: str) -> tuple[str, ...]:
    """As `read_scopes`; the tokens of an app say the same again and again."""
    return read_scopes(text)


def _id(value: object) -> str:
    if not isinstance(value, str) or SHAPE.fullmatch(value) is None:
        raise ValueError
    return value
