"""Separate the values that the record format can represent from the others, after the store refused a group of values.

A device may send a scale that is not finite, a text that is too long, or a number beyond the range of its column. One
such value must not cause the loss of the other values of the same read, nor make a device resend a confirmed report for
ever. The search tests one observation at a time, but only after a refusal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from protocols.errors import ProtocolError
from protocols.uplink.observations import DeviceObservations, encode_block


@dataclass(frozen=True, slots=True)
class Parted:
    """Result of separating values: sections with the values that the record format can represent (`formed`), and
    sections with the other values (`formless`). `why`: why the first value in `formless` cannot be represented."""

    formed: Sequence[DeviceObservations]
    formless: Sequence[DeviceObservations]
    why: str = ""

    @property
    def formless_count(self) -> int:
        return sum(len(section.observations) for section in self.formless)


def part_by_form(sections: Sequence[DeviceObservations]) -> Parted:
    """Separate the values that the record format can represent from the values that it cannot represent. The order is
    kept."""
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
    """Return the reason why the record format cannot represent `section`, which has one observation. Return "" if it
    can be represented."""
    try:
        encode_block([section])
    except ProtocolError as error:
        return str(error) or type(error).__name__
    return ""
