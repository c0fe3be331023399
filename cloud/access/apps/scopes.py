"""The scope catalogue: every scope that a token can carry (matrix A-018), with the sentence for consent screens.

Names are literal and compared whole (A-017). Writing implies reading in the same area, so that clients with only the
contract's own scopes keep working. The approval of an app lists the scopes that it may have.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

from cloud.foundation.errors import DomainError, Mistake
from cloud.foundation.slice import Scope, declared
from cloud.foundation.suggestions import closest, mention

PLATFORM_ADMIN = "argus:platform:admin"

SCOPES_TEXT_MAX = 2048
"""Longest scope parameter: the whole catalogue takes a fourth of it."""


CATALOGUE: tuple[Scope, ...] = tuple(scope for one in reversed(declared()) for scope in one.scopes)
"""Every scope, from the higher rooms down, so that webhooks and the patient record come first."""

NAMES = frozenset(scope.name for scope in CATALOGUE)
_READS = {scope.name: scope.reads for scope in CATALOGUE if scope.reads is not None}


class ScopeUnknown(DomainError, code="invalid_scope", status=400):
    """A scope is unknown or cannot be granted. GET /v1/platform/scopes lists the scopes."""


def check_known(names: Sequence[str], *, field: str | None = None) -> None:
    """Raise `ScopeUnknown` for the first name that is not in the catalogue. `field`: the body's field of the list."""
    check_allowed(names, NAMES, "is unknown", field=field)


def check_allowed(names: Sequence[str], allowed: Collection[str], why_not: str, *, field: str | None = None) -> None:
    """Raise `ScopeUnknown` for the first name that is not `allowed`. `why_not`: the predicate of the error's
    sentence."""
    for place, name in enumerate(names):
        if name not in allowed:
            near = None if name in NAMES else closest(name, sorted(NAMES))
            text = f"The scope{mention(name, name if name in NAMES else near)} {why_not}."
            pointer = None if field is None else f"/{field}/{place}"
            raise ScopeUnknown(text, mistakes=[Mistake(text, pointer, did_you_mean=near)])


def effective(granted: Iterable[str]) -> frozenset[str]:
    """Return these scopes and the read scopes that their write scopes imply."""
    return _effective(tuple(granted))


@lru_cache(maxsize=1024)
def _effective(granted: tuple[str, ...]) -> frozenset[str]:
    """Return the same as `effective`, from a cache: every token check needs it, and apps have few combinations."""
    return frozenset(granted) | {_READS[name] for name in granted if name in _READS}


def withheld_with(scopes: Iterable[str]) -> frozenset[str]:
    """Return these scopes and the write scopes that imply one of them."""
    without = frozenset(scopes)
    return without | {name for name, reads in _READS.items() if reads in without}


def in_order(scopes: Iterable[str], *, field: str | None = None) -> tuple[str, ...]:
    """Return each scope once, in the order of the catalogue; raises `ScopeUnknown`. `field`: the body's field of the
    list."""
    names = list(scopes)
    check_known(names, field=field)
    wanted = set(names)
    return tuple(scope.name for scope in CATALOGUE if scope.name in wanted)


def read_scopes(text: str) -> tuple[str, ...]:
    """Read the names in a scope parameter: one space between them (RFC 6749 §3.3), each in the catalogue.

    Repetitions are dropped, the order is kept. Raises `ScopeUnknown` for anything else.
    """
    if len(text) > SCOPES_TEXT_MAX:
        raise ScopeUnknown(f"The parameter is longer than {SCOPES_TEXT_MAX} characters.")
    names = tuple(dict.fromkeys(text.split(" ")))
    if not NAMES.issuperset(names):
        check_known(names)
    return names


def on_auth_host(scopes: Iterable[str]) -> bool:
    """Return whether one of these scopes is used on the auth host, which serves webhooks and the platform (A-026)."""
    return any(name.startswith(("webhooks:", "argus:platform:")) for name in scopes)
