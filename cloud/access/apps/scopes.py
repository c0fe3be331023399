"""The scope catalogue: every scope that a token can have (contract A-018), with its sentence for consent screens.

A scope name has no wildcards and is compared as a whole (contract A-017). The catalogue also has read scopes that the
contract does not name. A client that knows only the contract's scopes can still read, because a write scope implies the
read scope of the same area.

Entitled scopes are outside of the catalogue. They exist only for tenants that the operator entitles, and only for apps
for which the operator approves them. For everyone else they are unknown, in the same words as a name that is not
declared.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

from cloud.foundation.errors import DomainError, Mistake
from cloud.foundation.slice import Scope, declared
from cloud.foundation.suggestions import closest, mention

PLATFORM_ADMIN = "argus:platform:admin"

SCOPES_TEXT_MAX = 2048
"""Longest scope parameter: the whole catalogue takes a fourth of it."""


_DECLARED: tuple[Scope, ...] = tuple(scope for one in reversed(declared()) for scope in one.scopes)

CATALOGUE: tuple[Scope, ...] = tuple(scope for scope in _DECLARED if not scope.entitled)
"""Every public scope, from the higher layers down, so that webhooks and the patient record come first."""

NAMES = frozenset(scope.name for scope in CATALOGUE)
ENTITLED = frozenset(scope.name for scope in _DECLARED if scope.entitled)
"""The scopes that only entitled tenants have."""
_READS = {scope.name: scope.reads for scope in CATALOGUE if scope.reads is not None}


class ScopeUnknown(DomainError, code="invalid_scope", status=400):
    """A scope is unknown or cannot be granted. GET /v1/platform/scopes lists the scopes."""


def check_approved(names: Sequence[str], approved: Collection[str], *, field: str | None = None) -> None:
    """Raise `ScopeUnknown` for the first name that is not in `approved`, the scopes of an app. An entitled scope that
    the app does not have is unknown. `field`: the field of the request body that holds the names."""
    check_allowed(names, NAMES.union(approved), "is unknown", field=field)
    check_allowed(names, approved, "is not approved for this app", field=field)


def check_allowed(names: Sequence[str], allowed: Collection[str], why_not: str, *, field: str | None = None) -> None:
    """Raise `ScopeUnknown` for the first name that is not in `allowed`. `why_not`: the predicate of the error's
    sentence, such as "is unknown". `field`: the field of the request body that holds the names."""
    for place, name in enumerate(names):
        if name not in allowed:
            near = None if name in NAMES else closest(name, sorted(NAMES))
            text = f"The scope{mention(name, name if name in NAMES else near)} {why_not}."
            pointer = None if field is None else f"/{field}/{place}"
            raise ScopeUnknown(text, mistakes=[Mistake(text, pointer, did_you_mean=near)])


def effective(granted: Iterable[str]) -> frozenset[str]:
    """Return the granted scopes and the read scopes that the write scopes among them imply."""
    return _effective(tuple(granted))


@lru_cache(maxsize=1024)
def _effective(granted: tuple[str, ...]) -> frozenset[str]:
    """Return the granted scopes and the read scopes that the write scopes among them imply. The result is cached, since
    every token check needs it."""
    return frozenset(granted) | {_READS[name] for name in granted if name in _READS}


def withheld_with(scopes: Iterable[str]) -> frozenset[str]:
    """Return all scopes to withhold when `scopes` are withheld: `scopes` themselves, and every write scope that implies
    one of them, since a write scope also allows reading."""
    without = frozenset(scopes)
    return without | {name for name, reads in _READS.items() if reads in without}


def in_order(scopes: Iterable[str], *, field: str | None = None, entitled: Collection[str] = ()) -> tuple[str, ...]:
    """Return each scope once, in the order of the scope catalogue. `field`: the field of the request body that holds
    the scopes. `entitled`: further scopes that are permitted here. Raises `ScopeUnknown` for any other scope."""
    names = list(scopes)
    check_allowed(names, NAMES.union(entitled), "is unknown", field=field)
    wanted = set(names)
    return tuple(scope.name for scope in _DECLARED if scope.name in wanted)


def read_scopes(text: str, *, entitled: Collection[str] = ()) -> tuple[str, ...]:
    """Return the scope names in the `scope` parameter of a request, each once. Raises `ScopeUnknown` if a name is
    unknown or if two names are not separated by exactly one space (RFC 6749 §3.3). `entitled`: names that
    are known here although they are outside of the catalogue."""
    if len(text) > SCOPES_TEXT_MAX:
        raise ScopeUnknown(f"The parameter is longer than {SCOPES_TEXT_MAX} characters.")
    names = tuple(dict.fromkeys(text.split(" ")))
    if not NAMES.issuperset(names):
        check_allowed(names, NAMES.union(entitled), "is unknown")
    return names


def on_auth_host(scopes: Iterable[str]) -> bool:
    """Return whether any scope is for the auth host, which serves webhooks and the routes `/v1/platform/…` (contract
    A-026)."""
    return any(name.startswith(("webhooks:", "argus:platform:")) for name in scopes)
