"""What is kept of a receiver's answer: its first KiB, without what looks like a secret or would not print.

The log is read by the receiver's developer, and an answer may quote our request, a session or somebody's database
error. More than this is never kept: a log of whole answers would let whoever registers an address read what lies behind
it.
"""

import re

HEAD_BYTES_MAX = 1024
# Looked at before the cut, so that a secret across the edge is still seen as one.
_LOOKED_AT = 2 * HEAD_BYTES_MAX
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
    """At most 1 KiB of it in UTF-8; None for an empty body."""
    if not body:
        return None
    text = body[:_LOOKED_AT].decode("utf-8", "replace")
    text = _NAMED.sub(lambda found: found["name"] + MARK, _SECRETS.sub(MARK, text))
    text = _UNPRINTABLE.sub("\N{MIDDLE DOT}", text)
    return text.encode()[:HEAD_BYTES_MAX].decode("utf-8", "ignore")
