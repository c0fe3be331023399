"""Compare a field change with the catalogue, where it is written.

A fault has a code for programs and a sentence for people, which names the rule and never repeats what was entered.
The cloud does not use this check: it stores what a vehicle has stored, also elements that it does not know.
"""

from dataclasses import dataclass

from protocols.epcr.annotations import ANNOTATIONS, annotation_rule
from protocols.epcr.catalogue import find_element, find_group
from protocols.epcr.change import AUTHOR_LENGTH_MAX, ENTRY_LENGTH_MAX, REPLACES_MAX, Action, FieldChange
from protocols.epcr.element import Element, Group, Negative, NotRecorded
from protocols.epcr.value_sets import TEXT_LENGTH_MAX
from protocols.uplink.limits import INTEGER_MAX
from protocols.uplink.topics import is_identifier

VOID_REASON_LENGTH_MAX = 255


@dataclass(frozen=True, slots=True)
class Fault:
    """The rule that a change breaks. `code` is stable; `text` is a sentence."""

    code: str
    text: str


def find_fault(change: FieldChange) -> Fault | None:
    """Return the first rule that `change` breaks, or None for a change that may be stored."""
    if (fault := _fault_of_form(change)) is not None:
        return fault
    if change.key in ANNOTATIONS:
        rule = annotation_rule(change)
        return None if rule is None else Fault("annotation_not_permitted", rule)
    return _fault_of_void(change) if change.action is Action.VOID else _fault_of_field(change)


def _fault_of_form(change: FieldChange) -> Fault | None:
    for name, text in (("id", change.id), ("encounter", change.encounter)):
        if not is_identifier(text):
            return Fault(f"{name}_malformed", f"{name} has 1 to 64 letters, digits, hyphens or underscores.")
    if len(change.replaces) > REPLACES_MAX or not all(map(is_identifier, change.replaces)):
        return Fault("replaces_malformed", f"replaces has the ids of at most {REPLACES_MAX} earlier changes.")
    if not 1 <= len(change.author) <= AUTHOR_LENGTH_MAX or not change.author.isprintable():
        return Fault("author_malformed", f"author has 1 to {AUTHOR_LENGTH_MAX} printable characters.")
    if change.device_time_us is not None and not 0 <= change.device_time_us <= INTEGER_MAX:
        return Fault("time_malformed", "The time of the device is before 1970 or too large.")
    for content in change.content:
        if content is not None and ("\0" in content or not _is_unicode(content)):
            return Fault("text_malformed", "A text has a NUL character or half of a surrogate pair.")
    return None


def _fault_of_void(change: FieldChange) -> Fault | None:
    group = find_group(change.key)
    if group is None or not group.repeated:
        return Fault("group_unknown", "Only an entry of a repeated group can be declared void; key names its group.")
    if change.negative is not None or change.not_recorded is not None:
        return Fault("content_not_permitted", "The declaration that an entry is void has a reason and nothing else.")
    if change.value is None or not 1 <= len(change.value.strip()) <= len(change.value) <= VOID_REASON_LENGTH_MAX:
        return Fault("reason_missing", f"value is the reason, a text of 1 to {VOID_REASON_LENGTH_MAX} characters.")
    return _fault_of_entry(change, group)


def _fault_of_field(change: FieldChange) -> Fault | None:
    element = find_element(change.key)
    if element is None:
        return Fault("element_unknown", "The catalogue has no element of this key. `epcr elements` lists them.")
    group = find_group(element.group)
    assert group is not None, "each element has a group"
    return _fault_of_entry(change, group) or (
        _fault_of_removal(change, element) if change.action is Action.REMOVE else _fault_of_content(change, element)
    )


def _fault_of_entry(change: FieldChange, group: Group) -> Fault | None:
    if not group.repeated:
        return None if change.entry is None else Fault("entry_not_permitted", f"{group.name} has no entries.")
    if change.entry is None:
        return Fault("entry_missing", f"{group.name} has entries: the change needs the id of its entry.")
    parts = change.entry.split("/", 2) if len(change.entry) <= ENTRY_LENGTH_MAX else []
    if len(parts) != (1 if group.parent is None else 2) or not all(map(is_identifier, parts)):
        inner = "" if group.parent is None else f" It begins with the id of its entry of {group.parent} and a slash."
        return Fault(
            "entry_malformed", f"The id of an entry has 1 to 64 letters, digits, hyphens or underscores.{inner}"
        )
    return None


def _fault_of_removal(change: FieldChange, element: Element) -> Fault | None:
    if not element.many:
        if change.content != (None, None, None):
            return Fault("content_not_permitted", f"{element.key} has one value: its removal has no content.")
        return None
    if change.value is not None and not element.values.permits(change.value):
        return _wrong_value(element)
    return None


def _fault_of_content(change: FieldChange, element: Element) -> Fault | None:
    value, negative, reason = change.content
    if value is None and negative is None and reason is None:
        return Fault(
            "content_missing", f"{element.key} needs a value, a pertinent negative, or why it is not recorded."
        )
    if reason is not None:
        if value is not None or negative is not None:
            return Fault("content_contradictory", "What is not recorded has neither a value nor a pertinent negative.")
        return _fault_of_reason(reason, element)
    if negative is not None and (fault := _fault_of_negative(negative, element, has_value=value is not None)):
        return fault
    if value is not None and not (len(value) <= TEXT_LENGTH_MAX and element.values.permits(value)):
        return _wrong_value(element)
    return None


def _wrong_value(element: Element) -> Fault:
    return Fault("value_not_permitted", f"{element.key} is {element.values.rule}.")


def _fault_of_negative(negative: str, element: Element, *, has_value: bool) -> Fault | None:
    permitted = element.with_value if has_value else element.instead
    if negative in permitted:
        return None
    place = "beside" if has_value else "instead of"
    listed = ", ".join(each.value for each in Negative if each in permitted) or "none"
    return Fault("negative_not_permitted", f"Pertinent negatives of {element.key} {place} a value: {listed}.")


def _fault_of_reason(reason: str, element: Element) -> Fault | None:
    permitted = element.usage.reasons
    if reason in permitted:
        return None
    listed = ", ".join(each.value for each in NotRecorded if each in permitted) or "none"
    return Fault("reason_not_permitted", f"Reasons for a missing value of {element.key}: {listed}.")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
