"""Telephone numbers: the international form (ITU-T E.164), and the forms in which carriers write it."""

import re

from cloud.partners.telephony.errors import RouteMalformed

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def read_number(text: str) -> str:
    """Return a number in E.164 form: a plus sign and 7 to 15 digits. Raises `RouteMalformed`; the error never has the
    given text."""
    if _E164.fullmatch(text) is None:
        raise RouteMalformed("(A number has a plus sign and 7 to 15 digits, such as +48221234567.)")
    return text


def with_plus(number: str) -> str:
    return number


def without_plus(number: str) -> str:
    return number[1:]


def nanp(number: str) -> str:
    """Return the ten digits of a number of the North American Numbering Plan. Raises `RouteMalformed` for another."""
    if not number.startswith("+1") or len(number) != 12:
        raise RouteMalformed("(VoIP.ms has numbers of North America only: +1 and ten digits.)")
    return number[2:]
