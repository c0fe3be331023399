"""Separates the values that the record has a form for from the others, after a store refused all of them together.

Devices decide what they send, and the form of the record is ours: a scale that is not finite, a text that is too long,
a number beyond the column. One such value must not cost the others of the same read, nor make a device resend a
confirmed report for ever. The search runs only after a refusal, one observation at a time, so the usual path costs
nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from protocols.errors import ProtocolError
from protocols.uplink.observations import DeviceObservations, encode_block


@dataclass(frozen=True, slots=True)
class Parted:
    """Sections with the values that can be recorded, and with those that cannot; `why` is the reason of the first that
    cannot."""

    formed: Sequence[DeviceObservations]
    formless: Sequence[DeviceObservations]
    why: str = ""

    @property
    def formless_count(self) -> int:
        return sum(len(section.observations) for section in self.formless)


def part_by_form(sections: Sequence[DeviceObservations]) -> Parted:
    """Separate the sections, keeping the order within both parts."""
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
    """Return the reason that one observation has no form; "" where it has one."""
    try:
        encode_block([section])
    except ProtocolError as error:
        return str(error) or type(error).__name__
    return ""
