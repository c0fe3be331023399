"""Convert between times as RFC 3339 text (for people and scripts) and as µs since 1970 UTC (in the database)."""

from datetime import UTC, datetime, timedelta

from cloud.foundation.errors import DomainError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_US = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


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
    moment = _EPOCH + timedelta(microseconds=min(max(at_us, _FIRST_US), _LAST_US))
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
