"""Convert between times as RFC 3339 text (for people and scripts) and as µs since 1970 UTC (in the database)."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cloud.foundation.errors import DomainError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_US = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_SECOND_US = 1_000_000


class MomentMalformed(DomainError, code="moment_malformed"):
    """A time reads like 2026-03-24T10:00:00Z, with Z or an offset."""


def read_moment(text: str) -> int:
    """Return RFC 3339 text as µs since 1970-01-01 UTC. Raises `MomentMalformed`, also for a time without an offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise MomentMalformed from None
    if moment.tzinfo is None:
        raise MomentMalformed
    return (moment - _EPOCH) // timedelta(microseconds=1)


def write_moment(at_us: int | None) -> str | None:
    """Return a time in µs since 1970 UTC as RFC 3339 text, None for None. A time outside the years 1 to 9999 becomes
    the nearest representable one, since a gateway's clock may have any value."""
    if at_us is None:
        return None
    if not _FIRST_US <= at_us <= _LAST_US:
        at_us = _FIRST_US if at_us < _FIRST_US else _LAST_US
    second, rest_us = divmod(at_us, _SECOND_US)
    return f"{_second(second)}.{rest_us:06d}Z"


@lru_cache(1024)
def _second(second: int) -> str:
    """Return a second since 1970 as text without an offset. Many moments of a response or a batch share a second."""
    return (_EPOCH + timedelta(seconds=second)).replace(tzinfo=None).isoformat()
