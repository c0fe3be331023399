"""Redact the first KiB of a response body for the delivery log: no possible secrets, no unprintable characters. The
receiver's developer reads the log, and a response may quote our request, a session or a database error. No more is
stored: whole responses would let the owner of a webhook read an internal service behind the URL.
"""

import re

HEAD_BYTES_MAX = 1024
# Examined before the cut, so that a secret across the limit is still recognised.
_EXAMINED_BYTES = 2 * HEAD_BYTES_MAX
MARK = "[redacted]"

_SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----END [A-Z ]{0,32}PRIVATE KEY-----).)*"
    r"|\bwhs(?:ec|k)_[A-Za-z0-9+/=_-]+"
    r"|\bv1a?,[A-Za-z0-9+/=]{20,}"
    r"|\beyJ[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){0,2}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}"
    r"|(?i:\b(?:bearer|basic|digest|negotiate)\s+)[A-Za-z0-9+/=._~-]{6,}"
    r"|://[^\s/@:]+:[^\s/@]+@"
    r"|[A-Za-z0-9+/_-]{32,}={0,2}",
    re.DOTALL,
)
_NAMED = re.compile(
    r"""(?aix)
    (?P<name> (?: pass(?:word|wd|phrase)? | secret | token | api[_-]?key | credential s? | cookie
               | authorization | session (?:[_-]?id)? | private[_-]?key | signature ) ["']?
              \s* (?: [:=] | => ) \s* )
    (?: "[^"]*"? | '[^']*'? | [^\s,;&}<]+ )
    """
)
_UNPRINTABLE = re.compile(r"[^\t\n\x20-\x7e\u00a1-\ud7ff\ue000-\ufffc]")


def redacted_head(body: bytes) -> str | None:
    """Return the redacted start of a body, at most 1 KiB of UTF-8; None for an empty body."""
    if not body:
        return None
    text = body[:_EXAMINED_BYTES].decode("utf-8", "replace")
    text = _NAMED.sub(lambda found: found["name"] + MARK, _SECRETS.sub(MARK, text))
    text = _UNPRINTABLE.sub("\N{MIDDLE DOT}", text)
    return text.encode()[:HEAD_BYTES_MAX].decode("utf-8", "ignore")
