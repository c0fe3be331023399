"""Read the JSON of a request to store field changes. A fault names the field and the rule, never what was entered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from protocols.epcr.change import DISPATCH_AUTHOR, ENTRY_LENGTH_MAX, Action, FieldChange
from protocols.epcr.check import Fault, find_fault
from protocols.epcr.seal import GATEWAY_AUTHOR
from protocols.epcr.value_sets import MOMENT_LENGTH_MAX
from protocols.uplink.epcr import CHANGES_MAX

_FIELDS = frozenset(
    ("id", "key", "entry", "action", "value", "negative", "not_recorded", "device_time", "replaces"),
)
_MICROSECONDS = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RequestFault:
    """A fault of the change at `index` of the request, or, with None, of the request itself."""

    index: int | None
    fault: Fault


class RequestRefused(Exception):
    """The request breaks a rule, so nothing of it is stored. `faults` has the first fault of each faulty change."""

    def __init__(self, faults: Sequence[RequestFault]) -> None:
        self.faults = faults
        super().__init__(faults[0].fault.text)


def changes_of(request: Mapping[str, Any], *, gateway_time_us: int) -> list[FieldChange]:
    """Return the changes of a request. Raises `RequestRefused`."""
    given = request.get("changes")
    if not isinstance(given, list) or not 1 <= len(given) <= CHANGES_MAX:
        raise _refused("changes_malformed", f"changes is a list of 1 to {CHANGES_MAX} changes.")
    encounter, author = request.get("encounter"), request.get("author")
    if not isinstance(encounter, str) or not isinstance(author, str):
        raise _refused("request_malformed", "A request needs an encounter and an author, both as texts.")
    if author in (GATEWAY_AUTHOR, DISPATCH_AUTHOR):
        raise _refused("author_reserved", "This author is reserved. Name the crew member or the program.")
    changes: list[FieldChange] = []
    faults: list[RequestFault] = []
    for index, fields in enumerate(given):
        read = _change(fields, encounter, author, gateway_time_us)
        fault = read if isinstance(read, Fault) else find_fault(read)
        if fault is not None:
            faults.append(RequestFault(index, fault))
        elif isinstance(read, FieldChange):
            changes.append(read)
    if faults:
        raise RequestRefused(faults)
    return changes


def _change(fields: Any, encounter: str, author: str, gateway_time_us: int) -> FieldChange | Fault:
    if not isinstance(fields, dict):
        return Fault("change_malformed", "A change is an object.")
    if not fields.keys() <= _FIELDS:
        return Fault("field_unknown", f"A change has only these fields: {', '.join(sorted(_FIELDS))}.")
    texts: dict[str, str | None] = {}
    for name in ("id", "key", "entry", "negative", "not_recorded", "value"):
        text = fields.get(name)
        if isinstance(text, int | float) and not isinstance(text, bool) and name == "value":
            text = str(text)
        if text is not None and not isinstance(text, str):
            return Fault("field_malformed", f"{name} is a text.")
        texts[name] = text
    change_id, key, entry = texts["id"], texts["key"], texts["entry"]
    if change_id is None or key is None:
        return Fault("field_missing", "A change needs an id and a key.")
    if entry is not None and len(entry) > ENTRY_LENGTH_MAX:
        return Fault("entry_malformed", f"The id of an entry has at most {ENTRY_LENGTH_MAX} characters.")
    action = fields.get("action", Action.SET.value)
    if action not in tuple(Action):
        return Fault("action_unknown", f"action is one of {', '.join(Action)}.")
    replaces = fields.get("replaces", [])
    if not isinstance(replaces, list) or not all(isinstance(each, str) for each in replaces):
        return Fault("replaces_malformed", "replaces is a list of ids of changes.")
    at_us = _microseconds(fields.get("device_time"))
    if isinstance(at_us, Fault):
        return at_us
    return FieldChange(
        id=change_id,
        encounter=encounter,
        key=key,
        author=author,
        gateway_time_us=gateway_time_us,
        action=Action(action),
        entry=entry,
        value=texts["value"],
        negative=texts["negative"],
        not_recorded=texts["not_recorded"],
        device_time_us=at_us,
        replaces=tuple(replaces),
    )


def time_us(text: Any) -> int | None:
    """Return a time with an offset in µs since 1970; None where it is absent or malformed, or before 1970."""
    found = _microseconds(text)
    return found if isinstance(found, int) and found >= 0 else None


def _microseconds(text: Any) -> int | Fault | None:
    """Return a time with an offset as µs since 1970."""
    if text is None:
        return None
    wrong = Fault("time_malformed", "device_time is a time with an offset, such as 2026-05-06T07:08:09+02:00.")
    if not isinstance(text, str) or len(text) > MOMENT_LENGTH_MAX:
        return wrong
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return wrong
    if moment.tzinfo is None:
        return wrong
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * _MICROSECONDS + since.microseconds


def _refused(code: str, text: str) -> RequestRefused:
    return RequestRefused([RequestFault(None, Fault(code, text))])
