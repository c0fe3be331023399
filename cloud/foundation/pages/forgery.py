"""Whether a form was sent from a page of ours: the token in it, and what the browser says of its origin.

The token is a digest of a secret that only this browser's cookie holds, so a stranger's page can neither read nor guess
it (S-015). `Origin` and `Sec-Fetch-Site` are looked at too where a browser sends them: two locks, each of which holds
alone.
"""

import base64
import hashlib
import hmac

from multidict import CIMultiDictProxy

from cloud.foundation.errors import PrivateError


class FormForged(PrivateError):
    """The form expired or was not sent from this page. Go back, reload the page and send it again."""

    code = "form_forged"
    status = 403


def token_of(secret: str) -> str:
    """What a page puts into its forms. `secret`: the value of the cookie that the reader has."""
    digest = hashlib.sha256(b"argus form\0" + secret.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def check_form(headers: CIMultiDictProxy[str], base: str, secret: str | None, given: str | None) -> None:
    """Raises `FormForged`. `base`: the public address of the host that the page is on."""
    origin = headers.get("Origin")
    if origin is not None and origin != base:
        raise FormForged
    if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise FormForged
    if secret is None or given is None or not hmac.compare_digest(token_of(secret).encode(), given.encode()):
        raise FormForged
