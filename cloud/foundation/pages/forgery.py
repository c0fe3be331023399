"""Protection against forms that another site submits (cross-site request forgery).

Each form contains a token, a digest of a secret in this browser's cookie, so another site can neither read nor guess
the token (contract matrix S-015). `Origin` and `Sec-Fetch-Site` are checked too if sent. A form that fails one of these
checks is refused.
"""

import base64
import hashlib
import hmac

from multidict import CIMultiDictProxy

from cloud.foundation.errors import PrivateError


class FormForged(PrivateError, code="form_forged", status=403):
    """The form expired or was not sent from this page. Go back, reload the page and send it again."""


def token_of(secret: str) -> str:
    """Return the token for forms of a page. `secret` is the value of this browser's cookie."""
    digest = hashlib.sha256(b"argus form\0" + secret.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def check_form(headers: CIMultiDictProxy[str], base: str, secret: str | None, given: str | None) -> None:
    """Raise `FormForged` unless the form was sent from our page. `base` is the public address of the page's host,
    `secret` the cookie's value, and `given` the token in the form."""
    origin = headers.get("Origin")
    if origin is not None and origin != base:
        raise FormForged
    if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise FormForged
    if secret is None or given is None or not hmac.compare_digest(token_of(secret).encode(), given.encode()):
        raise FormForged
