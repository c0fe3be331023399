"""Reading a query strictly: a parameter that is unknown, given twice or not decodable is told, never guessed at.

A row's `query` model derives from `Query`; `Limit` and `Cursor` are the two parameters of every listing (A-082, A-083).
"""

import re
from typing import Annotated, TypeVar
from urllib.parse import unquote_plus

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cloud.foundation.http.errors import QueryMalformed

PARAMETERS_MAX = 32
MISTAKES_MAX = 100
"""Mistakes of one document that are looked at, of which five are named. Looking at one takes 10 µs, and a body of a
mebibyte can have half a million: five seconds in which no other request of the process is served."""
LIMIT_DEFAULT = 50
LIMIT_MAX = 200

_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Model = TypeVar("Model", bound=BaseModel)


class Query(BaseModel):
    """Base of every row's query model."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _limit(value: object) -> int:
    if isinstance(value, int):
        return value
    if not isinstance(value, str) or _WHOLE.fullmatch(value) is None or int(value) < 1:
        raise ValueError("a whole number from 1")
    return min(int(value), LIMIT_MAX)


Limit = Annotated[
    int,
    BeforeValidator(_limit, json_schema_input_type=Annotated[int, Field(ge=1)]),
    Field(description="Rows of a page, at most 200."),
]
"""How many rows a page has; more than 200 is 200."""

Cursor = Annotated[str | None, Field(max_length=1024, description="From the previous page.")]
"""Where a page begins; opaque."""


class Paged(Query):
    """The query of a listing; derive from it to add filters."""

    limit: Limit = LIMIT_DEFAULT
    cursor: Cursor = None


def read_pairs(text: str, *, pairs_max: int = PARAMETERS_MAX) -> dict[str, str]:
    """The pairs of a query or a form. Raises `QueryMalformed`; names are quoted, values never."""
    found: dict[str, str] = {}
    for name, value in read_all_pairs(text, pairs_max=pairs_max):
        if name in found:
            raise QueryMalformed(f"({shown(name)} is given twice.)")
        if _CONTROL.search(name) or "\x00" in value:
            raise QueryMalformed("(It has control characters.)")
        found[name] = value
    return found


def read_all_pairs(text: str, *, pairs_max: int = PARAMETERS_MAX) -> tuple[tuple[str, str], ...]:
    """The pairs in their order, repeated ones too. Raises `QueryMalformed`."""
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
    """A name from outside, short and printable."""
    return "".join(letter if letter.isprintable() and letter not in '"\\' else "?" for letter in name[:64])


def read_query(text: str, model: type[Model] | None) -> Model | None:
    """The query as the row's model. Raises `QueryMalformed`."""
    pairs = read_pairs(text)
    if model is None:
        if pairs:
            raise QueryMalformed(f"(There is no parameter {shown(next(iter(pairs)))} here.)")
        return None
    try:
        return model.model_validate(pairs)
    except ValidationError as error:
        raise QueryMalformed(mistakes(error)) from None


def mistakes(error: ValidationError) -> str:
    """Where a document is wrong and what is wanted there, without any of its values."""
    count = error.error_count()
    if count > MISTAKES_MAX:
        return f"({count} values are wrong. Compare the document with the OpenAPI description of this address.)"
    told = []
    for mistake in error.errors(include_url=False, include_context=False, include_input=False)[:5]:
        at = ".".join(shown(str(part)) for part in mistake["loc"]) or "the whole"
        said = mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] == "extra_forbidden":
            said = "there is no such field"
        elif mistake["type"] == "missing":
            said = "is required"
        told.append(f"{at}: {said}")
    return f"({'; '.join(told)}.)"
