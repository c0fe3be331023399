"""Share links: the address of a hand-over that a hospital opens in a browser, without an account.

The vehicle makes the token of a link and states its hash in the log of the care record (`Annotation.SHARE`), which the
cloud receives in the signed `epcr` lane. So the crew can show a link before there is coverage, no message goes down to
the vehicle, and the cloud stores nothing by which a link could be opened. The token is in the fragment of the address:
browsers send a fragment to no server, so it is in no log and in no Referer.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

from protocols.epcr.annotations import Annotation
from protocols.epcr.change import Action, FieldChange
from protocols.uplink.topics import is_identifier

TOKEN_BYTES: Final = 20
"""Random bytes of a token: 160 bits, which cannot be guessed."""
TOKEN_LENGTH: Final = 27
"""Characters of a token in base64url (RFC 4648 §5) without padding."""
PAGE_PATH: Final = "/h"
"""Path of the page on the docs host. It is short, because the address is also read aloud and typed."""
LINKS_MAX: Final = 16
"""Links of one encounter that the cloud accepts. A crew makes one, and another after a revocation."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{27}")
_HASH = re.compile(r"[0-9a-f]{64}")


def link_address(base: str, token: str) -> str:
    """Return the address of a link. `base` is the address of the docs host, such as https://docs.example."""
    return f"{base.rstrip('/')}{PAGE_PATH}#{token}"


def token_hash(token: str) -> str | None:
    """Return the SHA-256 of a token, in hexadecimal; None for a text that is no token."""
    if _TOKEN.fullmatch(token) is None:
        return None
    return hashlib.sha256(token.encode()).hexdigest()


def added_hash(change: FieldChange) -> str | None:
    """Return the hash of the token of a link that a change adds; None for another change."""
    if change.key != Annotation.SHARE or change.action is not Action.SET or not is_identifier(change.entry or ""):
        return None
    value = change.value or ""
    return value if _HASH.fullmatch(value) else None


def is_revocation(change: FieldChange) -> bool:
    """Return whether a change revokes the link of its entry."""
    return change.key == Annotation.SHARE and change.action is Action.REMOVE and change.entry is not None


def open_links(changes: Iterable[FieldChange]) -> Mapping[str, FieldChange]:
    """Return the links of a log that are not revoked: the change that added each, by the id of the link."""
    found: dict[str, FieldChange] = {}
    for change in changes:
        if change.entry is not None and added_hash(change) is not None:
            found.setdefault(change.entry, change)
        elif change.entry is not None and is_revocation(change):
            found.pop(change.entry, None)
    return found
