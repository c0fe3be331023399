"""Separates the values that the record format can represent from those that it cannot, after the store refused a group
of values.

A device decides what it sends, and the record has limits: a scale that is not finite, a text that is too long, a number
beyond the range of its column. One such value must not cause the loss of the other values of the same read, nor make a
device resend a confirmed report for ever. The search tests one observation at a time. It runs only after a refusal, so
the usual path is not slowed down.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from protocols.errors import ProtocolError
from protocols.uplink.observations import DeviceObservations, encode_block


@dataclass(frozen=True, slots=True)
class Parted:
    """Sections with the values that can be recorded (`formed`) and with those that cannot (`formless`). `why` is the
    reason for the first value that cannot."""

    formed: Sequence[DeviceObservations]
    formless: Sequence[DeviceObservations]
    why: str = ""

    @property
    def formless_count(self) -> int:
        return sum(len(section.observations) for section in self.formless)


def part_by_form(sections: Sequence[DeviceObservations]) -> Parted:
    """Separate the values of the sections by whether they can be recorded. Both results keep the order."""
    formed, formless, why = [], [], ""
    for section in sections:
        reasons = [_refusal(replace(section, observations=[each])) for each in section.observations]
        why = why or next(filter(None, reasons), "")
        kept = [each for each, reason in zip(section.observations, reasons, strict=True) if not reason]
        lost = [each for each, reason in zip(section.observations, reasons, strict=True) if reason]
        if kept:
            formed.append(replace(section, observations=kept))
        if lost:
            formless.append(replace(section, observations=lost))
    return Parted(formed, formless, why)


def _refusal(section: DeviceObservations) -> str:
    """Return the reason why the record cannot represent a section with one observation; "" where it can."""
    try:
        encode_block([section])
    except ProtocolError as error:
        return str(error) or type(error).__name__
    return ""
