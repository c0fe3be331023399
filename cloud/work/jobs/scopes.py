"""The scopes that a kind of job needs in addition to those of jobs.

They may depend on the payload, since an export of waveforms reads other data than one of devices. The check and the
text of the documentation come from one table, so the documentation cannot promise less than the service demands.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

PayloadT = TypeVar("PayloadT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ScopesNeeded(Generic[PayloadT]):
    """The scopes that a job needs. `of` returns those of a payload. `text` states them for people in Markdown, as
    "`argus:epcr:read`; `argus:devices:read` if `data` is `devices`"; it is empty if no payload needs a scope."""

    of: Callable[[PayloadT], tuple[str, ...]]
    text: str


def always(*scopes: str) -> ScopesNeeded[Any]:
    """Return the same scopes for each payload. Without an argument: the kind reads and changes no data of a tenant."""
    return ScopesNeeded(lambda _payload: scopes, _listed(scopes))


def by_field(field: str, table: Mapping[Any, tuple[str, ...]], *, besides: tuple[str, ...] = ()) -> ScopesNeeded[Any]:
    """Return the scopes that depend on a field of the payload. The field has a word of an enumeration, or several, and
    `table` has the scopes of each word. Every payload needs `besides` in addition."""
    (words,) = {type(word) for word in table}
    assert issubclass(words, StrEnum), "the model of the payload admits no other word"
    assert set(table) == set(words), "the table has each word, so that none is without its scopes"

    def of(payload: BaseModel) -> tuple[str, ...]:
        given = getattr(payload, field)
        chosen: Iterable[StrEnum] = (given,) if isinstance(given, StrEnum) else given
        return tuple(dict.fromkeys([*besides, *(scope for word in chosen for scope in table[word])]))

    cases = [f"{_listed(scopes)} if `{field}` is `{word.value}`" for word, scopes in table.items() if scopes]
    return ScopesNeeded(of, "; ".join([_listed(besides)] * bool(besides) + cases))


def _listed(scopes: Iterable[str]) -> str:
    return ", ".join(f"`{scope}`" for scope in scopes)
