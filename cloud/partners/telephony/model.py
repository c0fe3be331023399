"""Telephony providers and routes as values."""

from dataclasses import dataclass
from enum import StrEnum


class Subsystem(StrEnum):
    """The subsystem that takes the calls of a route (contract matrix A-096)."""

    PSAP = "psap"
    MUNICIPAL = "municipal"
    UTILITIES = "utilities"
    HOSPITAL = "hospital"
    DISPATCH = "dispatch"
    OTHER = "other"


class CheckOutcome(StrEnum):
    """The result of the check of a provider."""

    ACCEPTED = "accepted"  # the carrier has confirmed the account, or the gateway has responded
    REFUSED = "refused"  # the carrier does not accept the credentials
    UNREACHABLE = "unreachable"
    UNEXPECTED = "unexpected"  # another response, so nothing is known about the credentials
    NOT_CHECKED = "not_checked"  # IAX2: only the form of the settings is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A configured carrier of a tenant. `credentials_sealed` is never shown."""

    id: str
    tenant_id: str
    name: str
    carrier: str
    credentials_sealed: bytes
    is_default: bool
    disabled_at_us: int | None = None
    checked_at_us: int | None = None
    check_outcome: str | None = None
    created_at_us: int
    updated_at_us: int

    def __repr__(self) -> str:
        return f"Provider(id={self.id!r}, carrier={self.carrier!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route of a tenant: calls to a number, or of a subaccount of the provider, go to a subsystem. Exactly one of
    `did` (E.164) and `subaccount` is not None."""

    id: str
    tenant_id: str
    provider_id: str
    did: str | None
    subaccount: str | None
    subsystem: str
    label: str | None
    disabled_at_us: int | None = None
    created_at_us: int
    updated_at_us: int
