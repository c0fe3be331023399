"""Read a query strictly: a parameter that is unknown, repeated or cannot be decoded is an error.

The `query` model of a route derives from `Query`, that of a paged list from `Paged` (contract matrix A-082, A-083).
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote_plus

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cloud.foundation.errors import Mistake
from cloud.foundation.http.errors import QueryMalformed
from cloud.foundation.moments import MomentMalformed, read_moment
from cloud.foundation.suggestions import closest

PARAMETERS_MAX = 32
MISTAKES_MAX = 100
"""Mistakes of one document that are examined, of which five are named. Examining one takes 10 µs, and a body of a
mebibyte can have half a million: five seconds in which no other request of the process is served."""
NAMED_MAX = 5
LIMIT_DEFAULT = 50
LIMIT_MAX = 200

_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Model = TypeVar("Model", bound=BaseModel)


class Query(BaseModel):
    """Base class of the query models of all routes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _whole(value: object) -> int:
    if isinstance(value, int):
        return value
    if not isinstance(value, str) or _WHOLE.fullmatch(value) is None or int(value) < 1:
        raise ValueError("a whole number from 1")
    return int(value)


def whole_up_to(most: int) -> BeforeValidator:
    """Return the validator of a whole number from 1 to `most`."""

    def read(value: object) -> int:
        number = _whole(value)
        if number > most:
            raise ValueError(f"a whole number from 1 to {most}")
        return number

    return BeforeValidator(read, json_schema_input_type=Annotated[int, Field(ge=1, le=most)])


def limit_up_to(most: int) -> BeforeValidator:
    """Return the validator of a number of rows from 1; a number above `most` counts as `most`."""
    return BeforeValidator(lambda value: min(_whole(value), most), json_schema_input_type=Annotated[int, Field(ge=1)])


Limit = Annotated[int, limit_up_to(LIMIT_MAX), Field(description="Rows of a page, at most 200.")]
"""Number of rows of a page; a number above 200 counts as 200."""

Cursor = Annotated[str | None, Field(max_length=1024, description="From the previous page.")]
"""Opaque position at which a page begins."""


def _checked_moment(text: str) -> str:
    try:
        read_moment(text)
    except MomentMalformed:
        raise ValueError("a time such as 2026-03-24T10:00:00Z, with Z or an offset") from None
    return text


MomentText = Annotated[
    str, AfterValidator(_checked_moment), Field(max_length=64, json_schema_extra={"format": "date-time"})
]
"""A time that `read_moment` can read."""


class Paged(Query):
    """The query of a listing; derive from it to add filters."""

    limit: Limit = LIMIT_DEFAULT
    cursor: Cursor = None


def read_pairs(text: str, *, pairs_max: int = PARAMETERS_MAX) -> dict[str, str]:
    """Return the names and values of a query or form. Raises `QueryMalformed`, which quotes names but no values."""
    found: dict[str, str] = {}
    for name, value in read_all_pairs(text, pairs_max=pairs_max):
        if name in found:
            raise QueryMalformed(f"({shown(name)} is given twice.)")
        if _CONTROL.search(name) or "\x00" in value:
            raise QueryMalformed("(It has control characters.)")
        found[name] = value
    return found


def read_all_pairs(text: str, *, pairs_max: int = PARAMETERS_MAX) -> tuple[tuple[str, str], ...]:
    """Return the names and values of a query or form in order, with repeated names. Raises `QueryMalformed`."""
    if not text:
        return ()
    found: list[tuple[str, str]] = []
    pairs = text.split("&")
    if len(pairs) > pairs_max:
        raise QueryMalformed(f"(More than {pairs_max} parameters.)")
    for pair in pairs:
        if not pair:
            continue
        name, _, value = pair.partition("=")
        try:
            name = unquote_plus(name, errors="strict")
            value = unquote_plus(value, errors="strict")
        except UnicodeDecodeError:
            raise QueryMalformed("(It is not UTF-8.)") from None
        found.append((name, value))
    return tuple(found)


def shown(name: str) -> str:
    """Return the first 64 characters of a name from outside, with `?` for characters that an error must not show."""
    return "".join(letter if letter.isprintable() and letter not in '"\\' else "?" for letter in name[:64])


def read_query(text: str, model: type[Model] | None) -> Model | None:
    """Return the query as the route's model; without a model, the query must be empty. Raises `QueryMalformed`."""
    pairs = read_pairs(text)
    if model is None:
        if pairs:
            name = shown(next(iter(pairs)))
            unknown = Mistake("this address has no such parameter", parameter=name)
            raise QueryMalformed(f"(There is no parameter {name} here.)", mistakes=[unknown])
        return None
    try:
        return model.model_validate(pairs)
    except ValidationError as error:
        found = mistakes_of(error, model)
        raise QueryMalformed(summary(error, found), mistakes=found) from None


def mistakes_of(error: ValidationError, model: type[BaseModel], *, pointers: bool = False) -> list[Mistake]:
    """Return the first five invalid values of a query or a form, each with the name of its parameter. For a JSON body
    (`pointers`), each has its JSON Pointer instead. The list is empty if more than 100 values are invalid. The list
    contains names of fields, but never the invalid values."""
    if error.error_count() > MISTAKES_MAX:
        return []
    found = []
    for mistake in error.errors(include_url=False)[:NAMED_MAX]:
        place, text = mistake["loc"], mistake["msg"].removeprefix("Value error, ")
        known: Sequence[str] = ()
        given = mistake["input"]
        if mistake["type"] == "extra_forbidden":
            text, given = "there is no such field", place[-1]
            known = list(model.model_fields) if len(place) == 1 else ()
        elif mistake["type"] == "missing":
            text = "is required"
        elif mistake["type"] in ("literal_error", "enum"):
            known = re.findall(r"'([^']*)'", str(_context(mistake).get("expected", "")))
        near = closest(given, known) if isinstance(given, str) else None
        names = [_escaped(shown(str(part))) for part in place]
        if pointers:
            found.append(Mistake(text, "".join(f"/{name}" for name in names), did_you_mean=near))
        else:
            found.append(Mistake(text, parameter="/".join(names), did_you_mean=near))
    return found


def summary(error: ValidationError, mistakes: Sequence[Mistake]) -> str:
    """Return one sentence that names the field of each mistake. If `mistakes` is empty, the sentence gives only the
    number of errors."""
    if not mistakes:
        return (
            f"({error.error_count()} values are wrong. Compare the document with the OpenAPI description of this "
            "address.)"
        )
    places = [(one.parameter or (one.pointer or "")[1:].replace("/", ".") or "the whole", one) for one in mistakes]
    return f"({'; '.join(f'{place}: {one.detail}' for place, one in places)}.)"


def _context(mistake: Any) -> dict[str, Any]:
    context: dict[str, Any] = mistake.get("ctx", {})
    return context


def _escaped(part: str) -> str:
    """Return a part of a JSON Pointer with `~` and `/` escaped (RFC 6901 §3)."""
    return part.replace("~", "~0").replace("/", "~1")
