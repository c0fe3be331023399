"""Cookies of our pages: `__Host-` where the address is https, HttpOnly and SameSite always (RFC 6265bis §4.1.3).

SameSite is Lax and not Strict: an integrator sends users here with a link, and they must not have to sign in again for
that. The permission of a form does not depend on the cookie alone (`forgery`).
"""

from collections.abc import Mapping, Sequence

from multidict import CIMultiDict, CIMultiDictProxy

COOKIES_LENGTH_MAX = 8192


class Cookie:
    """One cookie of one host. `base`: the host's public address."""

    def __init__(self, name: str, base: str, *, max_age_s: int | None = None) -> None:
        """Set up the cookie. `max_age_s` None: until the browser ends."""
        self._secure = base.startswith("https:")
        self.name = f"__Host-{name}" if self._secure else name
        self._max_age = "" if max_age_s is None else f"; Max-Age={max_age_s}"

    def read(self, headers: CIMultiDictProxy[str]) -> str | None:
        """Return the value in a request. Two cookies of one name count as none, since one of them was planted."""
        return read_cookie(headers, self.name)

    def set(self, value: str) -> str:
        """Return the value of a `Set-Cookie` field."""
        return f"{self.name}={value}{self._max_age}{self._attributes}"

    def drop(self) -> str:
        """Return the `Set-Cookie` field that removes the cookie."""
        return f"{self.name}=; Max-Age=0{self._attributes}"

    @property
    def _attributes(self) -> str:
        return f"; Path=/; HttpOnly; SameSite=Lax{'; Secure' if self._secure else ''}"


def read_cookie(headers: CIMultiDictProxy[str], name: str) -> str | None:
    """Return the value of the one cookie of that name, None when there is none or more than one.

    A value with other characters than visible ASCII counts as none: no cookie of ours has them (RFC 6265 §4.1.1), and a
    byte that is not text could not be digested, stored or written.
    """
    text = "; ".join(headers.getall("Cookie", ()))
    if len(text) > COOKIES_LENGTH_MAX:
        return None
    found = [value for pair in text.split(";") for key, _, value in (pair.strip().partition("="),) if key == name]
    return found[0] if len(found) == 1 and found[0].isascii() and found[0].isprintable() else None


def with_cookies(cookies: Sequence[str], headers: Mapping[str, str] | None = None) -> CIMultiDict[str]:
    """Return the headers of a response that sets cookies, each in its own field."""
    together = CIMultiDict(headers or {})
    for cookie in cookies:
        together.add("Set-Cookie", cookie)
    return together
