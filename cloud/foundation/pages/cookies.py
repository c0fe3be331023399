"""Cookies of our pages: always HttpOnly and SameSite, with the prefix `__Host-` under https (RFC 6265bis §4.1.3).

SameSite is Lax, so that users who follow an integrator's link need not sign in again; `forgery` protects forms.
"""

from collections.abc import Mapping, Sequence

from multidict import CIMultiDict, CIMultiDictProxy

COOKIES_LENGTH_MAX = 8192


class Cookie:
    """A cookie of the host with the public address `base`. If `max_age_s` is None, the cookie lasts until the browser
    is closed."""

    def __init__(self, name: str, base: str, *, max_age_s: int | None = None) -> None:
        self._secure = base.startswith("https:")
        self.name = f"__Host-{name}" if self._secure else name
        self._max_age = "" if max_age_s is None else f"; Max-Age={max_age_s}"

    def read(self, headers: CIMultiDictProxy[str]) -> str | None:
        """Return this cookie's value in a request; None if the cookie is absent, repeated or malformed."""
        return read_cookie(headers, self.name)

    def set(self, value: str) -> str:
        """Return the `Set-Cookie` header value that gives the cookie this value."""
        return f"{self.name}={value}{self._max_age}{self._attributes}"

    def drop(self) -> str:
        """Return the `Set-Cookie` header value that removes the cookie from the browser."""
        return f"{self.name}=; Max-Age=0{self._attributes}"

    @property
    def _attributes(self) -> str:
        return f"; Path=/; HttpOnly; SameSite=Lax{'; Secure' if self._secure else ''}"


def read_cookie(headers: CIMultiDictProxy[str], name: str) -> str | None:
    """Return the value of the one cookie with this name, otherwise None. Two such cookies count as none, since one may
    be an attacker's. A value with characters other than visible ASCII counts as none too (RFC 6265 §4.1.1)."""
    text = "; ".join(headers.getall("Cookie", ()))
    if len(text) > COOKIES_LENGTH_MAX:
        return None
    found = [value for pair in text.split(";") for key, _, value in (pair.strip().partition("="),) if key == name]
    return found[0] if len(found) == 1 and found[0].isascii() and found[0].isprintable() else None


def with_cookies(cookies: Sequence[str], headers: Mapping[str, str] | None = None) -> CIMultiDict[str]:
    """Return response headers with one `Set-Cookie` header for each of `cookies`."""
    together = CIMultiDict(headers or {})
    for cookie in cookies:
        together.add("Set-Cookie", cookie)
    return together
