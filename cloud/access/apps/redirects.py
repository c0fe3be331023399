"""Check the redirect URIs that an app registers (contract A-042, RFC 9700 §2.1 and §4.1, RFC 8252 §7.3).

A redirect URI is https and has no fragment, wildcard, credentials or dot segment that a browser would resolve. A public
client may also use http with a loopback address, since it cannot have a certificate there. A URI is accepted unchanged
or refused, because authorization requests compare it character by character.
"""

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, parse_qsl, urlsplit

from cloud.access.apps.errors import RedirectUriRefused
from cloud.access.apps.model import GrantType
from cloud.foundation.errors import Mistake

URIS_MAX = 20
LENGTH_MAX = 1024
_CHARACTERS = re.compile(r"[!$&'()+,\-./0-9:;=?@A-Z\[\]_a-z~%]+")
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
RESPONSE_PARAMETERS = frozenset({"code", "state", "iss", "error", "error_description", "error_uri"})
"""The parameters that the authorization endpoint adds to the query; the app could not distinguish two of them."""
LOOPBACK = frozenset({"127.0.0.1", "::1"})


def checked_redirects(uris: Sequence[str], grants: Sequence[GrantType], *, confidential: bool) -> tuple[str, ...]:
    """Check the redirect URIs of an app and return them, each once. `confidential`: the app has a secret. Raises
    `RedirectUriRefused` with the index of the first unusable URI."""
    if len(uris) > URIS_MAX:
        raise RedirectUriRefused(f"(More than {URIS_MAX}.)")
    if GrantType.AUTHORIZATION_CODE in grants and not uris:
        raise RedirectUriRefused("(authorization_code needs at least one.)")
    for index, uri in enumerate(uris):
        why = _mistake(uri, confidential=confidential)
        if why:
            raise RedirectUriRefused(
                f"(redirect_uris.{index}: {why})", mistakes=[Mistake(why, f"/redirect_uris/{index}")]
            )
    return tuple(dict.fromkeys(uris))


def _mistake(uri: str, *, confidential: bool) -> str:
    if len(uri) > LENGTH_MAX or _CHARACTERS.fullmatch(uri) is None:
        return "it is too long or has a character that is not allowed, such as # or *."
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return "it is not a URI."
    if "@" in parts.netloc or port == 0:
        return "it has a user, a password or port 0."
    if RESPONSE_PARAMETERS & {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}:
        return "its query has a parameter of the authorization response."
    if {".", ".."} & set(parts.path.lower().replace("%2e", ".").split("/")):
        return "its path has dot segments."
    if parts.scheme == "http":
        return _loopback_mistake(parts, confidential=confidential)
    if parts.scheme != "https" or not uri.startswith("https://"):
        return "it is not https."
    name = parts.hostname or ""
    if parts.netloc != parts.netloc.lower() or (_NAME.fullmatch(name) is None and not parts.netloc.startswith("[")):
        return "its host is not a name in lower case."
    return ""


def _loopback_mistake(parts: SplitResult, *, confidential: bool) -> str:
    if confidential:
        return "http is for public clients on the loopback."
    return "" if parts.hostname in LOOPBACK else "http is for 127.0.0.1 and [::1] only; localhost is a name."
