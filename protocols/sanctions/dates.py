"""Dates as sanctions lists write them, as ISO dates that may lack the day or the month."""

import re
from datetime import date

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_YEAR_DIGITS = 4
_OFFSET = re.compile(r"(Z|[+-][0-9]{2}:[0-9]{2})$")
"""The time zone that a date of XML Schema may have: the list of the United Nations has 2015-07-01-04:00."""


def read_date(text: str | None) -> str | None:
    """Return a date of a list (2001-10-17, also with a time or an offset after it, or 10/17/2001) as ISO date; None if
    it is not a date."""
    if text is None:
        return None
    day = _OFFSET.sub("", text.strip().partition("T")[0])
    parts = day.split("/")
    if len(parts) == len(("month", "day", "year")) and all(map(_is_number, parts)):
        month, number, year = parts
        day = f"{year:0>4}-{month:0>2}-{number:0>2}"
    try:
        return date.fromisoformat(day).isoformat()
    except ValueError:
        return None


def read_birth_date(text: str | None) -> str | None:
    """Return a date of birth as ISO date (1948-12-10), month (1948-12), year (1948) or range of years (1948/1950); None
    if it is none of them. "circa" makes the date a year."""
    if not text:
        return None
    if (whole := read_date(text)) is not None:
        return whole
    words = text.replace(",", " ").lower().split()
    years = [word for word in words if len(word) == _YEAR_DIGITS and _is_number(word)]
    if len(years) > 1:
        return f"{min(years)}/{max(years)}"
    if not years:
        return None
    months = [_MONTHS[word[:3]] for word in words if word[:3] in _MONTHS]
    if "circa" in words or len(months) != 1:
        return years[0]
    days = [int(word) for word in words if word != years[0] and _is_number(word) and len(word) < _YEAR_DIGITS]
    try:
        return date(int(years[0]), months[0], days[0]).isoformat() if days else f"{years[0]}-{months[0]:02}"
    except ValueError:
        return years[0]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
