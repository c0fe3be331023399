"""The schedule of attempts, and the time after which a failing endpoint is disabled (contract matrix A-062)."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

SECOND_US = 1_000_000
_MINUTE_S, _HOUR_S = 60, 3600

DELAYS_S = (
    0,
    5,
    5 * _MINUTE_S,
    30 * _MINUTE_S,
    2 * _HOUR_S,
    5 * _HOUR_S,
    10 * _HOUR_S,
    14 * _HOUR_S,
    20 * _HOUR_S,
    24 * _HOUR_S,
)
"""The delay before each attempt: ten attempts in a little over three days."""
ATTEMPTS_MAX = len(DELAYS_S)
JITTER = 0.2
"""Each delay varies by up to this fraction, so that deliveries that failed together are not retried together."""
RETRY_AFTER_S_MAX = 24 * _HOUR_S
_DATE_LENGTH_MAX = 64
"""An HTTP date has 29 characters; the standard library accepts all date forms of e-mail and scans a text several
times."""
RETRY_AFTER_STATUSES = frozenset({429, 503})

FAILING_US_MAX = 5 * 86_400 * SECOND_US
"""An endpoint is disabled when all its deliveries have failed for this time."""
QUIET_US_MAX = FAILING_US_MAX
"""A failure this long after the previous one begins a new period of failures: the endpoint was not called in
between."""


def next_attempt_us(attempts: int, now_us: int, retry_after_us: int | None, chance: float) -> int | None:
    """Return the time of the next attempt after `attempts` failed ones, or None if the schedule has no further attempt.
    `chance` is uniform in [0, 1) and gives the jitter. `retry_after_us`, the time that the receiver requested, can only
    delay the attempt, by at most 24 hours."""
    if attempts >= ATTEMPTS_MAX:
        return None
    delay_s = DELAYS_S[attempts] * (1 + JITTER * (2 * chance - 1))
    planned_us = now_us + round(delay_s * SECOND_US)
    if retry_after_us is None:
        return planned_us
    return max(planned_us, min(retry_after_us, now_us + RETRY_AFTER_S_MAX * SECOND_US))


def read_retry_after(status: int, value: str | None, now_us: int) -> int | None:
    """Return the time in the `Retry-After` header `value` (RFC 9110 §10.2.3) of a 429 or 503 response, in microseconds
    since 1970. Return None if the header is absent or malformed, or if the response has another status."""
    if value is None or status not in RETRY_AFTER_STATUSES:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,10}", text):
        return now_us + int(text) * SECOND_US
    if len(text) > _DATE_LENGTH_MAX:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * SECOND_US
