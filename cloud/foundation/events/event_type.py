"""Event types: the name, fields and required scope of each event, declared in the `event_types.py` of its slice.

The public catalogue, the approval of subscriptions and the messages are derived from the event types
(`cloud/partners/webhooks/catalogue.py`). Payloads contain identifiers and plain facts, never values of a patient.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SECRECY = "secrecy_level"
"""The field with the secrecy level of the event's object. It selects the receivers and is not sent itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """One kind of domain event.

    `fields` maps each field that subscribers receive to its JSON Schema; the fields in `not_always` are optional.
    Payload fields that `internal` names are not sent. An integration must have the scope `scope` to receive the event;
    if `scope` is None, the event never leaves the product. With `always`, all enabled endpoints of the tenant get the
    event, subscribed or not.
    """

    name: str
    description: str
    fields: Mapping[str, Mapping[str, Any]]
    sample: Mapping[str, Any] = field(default_factory=dict)
    """Values for the public catalogue; empty for an event that never leaves the product."""
    scope: str | None = None
    not_always: frozenset[str] = frozenset()
    internal: frozenset[str] = frozenset()
    always: bool = False
    version: int = 1
    """Increases when a field is removed or changes its meaning; added fields do not increase it."""

    def public_payload(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the part of a domain event's payload that subscribers receive."""
        return {name: value for name, value in payload.items() if name not in self.internal and name != SECRECY}

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a message's `data`. It allows further fields, because fields may be added."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.name,
            "description": self.description,
            "type": "object",
            "properties": {name: dict(field) for name, field in self.fields.items()},
            "required": [name for name in self.fields if name not in self.not_always],
        }


def text(description: str, *, absent: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of an identifier or a word. With `absent`, the value may be null."""
    return {"type": _or_null("string", absent), "description": description}


def word(description: str, choices: Sequence[str]) -> dict[str, Any]:
    """Return the JSON Schema of a value that is one of `choices`."""
    return {"type": "string", "enum": [str(choice) for choice in choices], "description": description}


def words(description: str, choices: Sequence[str]) -> dict[str, Any]:
    """Return the JSON Schema of a list in which each value is one of `choices`."""
    return {
        "type": "array",
        "items": {"type": "string", "enum": [str(choice) for choice in choices]},
        "description": description,
    }


def moment(description: str, *, absent: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of a time, RFC 3339 in UTC. With `absent`, the value may be null."""
    return {"type": _or_null("string", absent), "format": "date-time", "description": description}


def count(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": description}


def truth(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": description}


def _or_null(kind: str, absent: bool) -> str | list[str]:
    return [kind, "null"] if absent else kind
