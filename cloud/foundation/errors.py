"""Base of every slice's errors.

A class is declared as `class WebhookUnknown(DomainError, code="webhook_unknown", status=404)`: its docstring is the
sentence that people read, `code` is public and stable, `status` is the HTTP status. Other modules render it, as a
problem document or as one line on a terminal. An error never contains patient data, keys or tokens.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mistake:
    """One invalid value of a request.

    `pointer` is its place in the body as a JSON Pointer (RFC 6901), `parameter` its name in the query. `did_you_mean`
    is a known word close to the given one. Any caller sees it, so it is never the id of a stored object.
    """

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    did_you_mean: str | None = None

    def document(self) -> dict[str, str]:
        """Return the members of the problem document, without those that are None."""
        members = {
            "detail": self.detail,
            "pointer": self.pointer,
            "parameter": self.parameter,
            "did_you_mean": self.did_you_mean,
        }
        return {name: value for name, value in members.items() if value is not None}


class DomainError(Exception):
    """The request cannot be processed."""

    code = "refused"
    status = 400

    def __init_subclass__(cls, *, code: str | None = None, status: int | None = None) -> None:
        """Set `code` and `status` of a class; None keeps those of its base."""
        cls.code, cls.status = code or cls.code, status or cls.status

    def __init__(self, detail: str = "", *, mistakes: Sequence[Mistake] = ()) -> None:
        """`detail` adds what is specific to this occurrence to the class's sentence; `mistakes` are
        the invalid values."""
        self.detail = detail
        self.mistakes = tuple(mistakes)
        super().__init__(self.sentence)

    @property
    def sentence(self) -> str:
        """The class's sentence, followed by the detail of this occurrence if there is one."""
        meaning = meaning_of(type(self))
        return f"{meaning} {self.detail}".rstrip() if self.detail else meaning

    @property
    def suggestion(self) -> str:
        """`Did you mean …?` for the first mistake with a `did_you_mean`; an empty text if there is none."""
        close = next((one.did_you_mean for one in self.mistakes if one.did_you_mean is not None), None)
        return "" if close is None else f"Did you mean {close}?"


class PrivateError(DomainError):
    """The request cannot be processed.

    Base of the errors that only the console, the log and the pages for people show. They are not in the public list of
    problems, and an API client that causes one receives `internal_error` or `unavailable` instead.
    """


def meaning_of(kind: type[DomainError]) -> str:
    """Return the sentence of an error class: the first paragraph of its docstring, on one line."""
    return " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())
