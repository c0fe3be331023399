"""Bits of device statuses, as the HL7 Personal Health Device guide lists them.

A bit is named by the code of its type, a point, and its number; bit 0 is the most significant one of the bit string.
Events are reported only while they are set, states always.
"""

from dataclasses import dataclass
from types import MappingProxyType

from protocols.fhir.datatypes import Json, coding, concept
from protocols.fhir.systems import BITS
from protocols.ieee11073.nomenclature import Code


@dataclass(frozen=True, slots=True)
class StatusBits:
    """The bits of one type: the width of its bit string, the names of bits, and those that are states."""

    width: int
    names: MappingProxyType[int, str]
    states: frozenset[int] = frozenset()


def _bits(width: int, *names: str, states: tuple[int, ...] = ()) -> StatusBits:
    """Return bits that are named in order from bit 0; an empty name: this bit is not defined."""
    named = {number: name for number, name in enumerate(names) if name}
    return StatusBits(width, MappingProxyType(named), frozenset(states))


_GLUCOSE = (
    *("device-battery-low", "sensor-malfunction", "sensor-sample-size-insufficient", "sensor-strip-insertion"),
    *("sensor-strip-type-incorrect", "sensor-result-too-high", "sensor-result-too-low", "sensor-temp-too-high"),
    *("sensor-temp-too-low", "sensor-read-interrupt", "device-gen-fault"),
)

KNOWN = MappingProxyType(
    {
        67925: _bits(
            16,
            *("onMains", "onBattery", "", "", "", "", "", "", "chargingFull", "chargingTrickle", "chargingOff"),
            states=(0, 1, 10),
        ),
        67846: _bits(16, "lim-alert-off", "lim-low-off", "lim-high-off", states=(0, 1, 2)),
        150604: _bits(
            16,
            *("sensor-disconnected", "sensor-malfunction", "sensor-displaced", "sensor-unsupported", "sensor-off"),
            *("sensor-interference", "signal-searching", "signal-pulse-questionable", "signal-non-pulsatile"),
            *("signal-erratic", "signal-low-perfusion", "signal-poor", "signal-inadequate"),
            *("signal-processing-irregularity", "device-equipment-malfunction", "device-extended-update"),
        ),
        150605: _bits(16, "pulse-qual-nominal", "pulse-qual-marginal", "pulse-qual-minimal", "pulse-qual-unacceptable"),
        8410584: _bits(
            16,
            *("leadwire-loss", "leadsignal-loss", "leadwire-loss-first-lead", "leadsignal-loss-first-lead"),
            *("leadwire-loss-second-lead", "leadsignal-loss-second-lead"),
            *("leadwire-loss-third-lead", "leadsignal-loss-third-lead"),
        ),
        8410608: _bits(
            16,
            *("body-movement", "cuff-too-loose", "irregular-pulse", "pulse-over-range-limit"),
            *("pulse-under-range-limit", "improper-body-position"),
        ),
        8417752: _bits(16, *_GLUCOSE, "sensor-temp-out-of-range"),
        8417909: _bits(16, *(f"inr-{name}" for name in _GLUCOSE), "inr-sensor-calibration-due"),
        8408608: _bits(
            32,
            *("device-status-undetermined", "device-status-reset", "", "", "", "device-status-error"),
            *("device-status-error-mechanical", "device-status-error-electronic", "device-status-error-software"),
            *("device-status-error-battery", "", "", "", "", "", "device-status-service"),
            *("device-status-service-time-sync-required", "device-status-service-calibration-required"),
            *("device-status-service-replenishment-required", "", "", "", "", "", "", "device-status-battery-low"),
            *("device-status-battery-depleted", "device-status-battery-replaced"),
            "device-status-battery-interrupted",
        ),
        8418060: _bits(
            32,
            *("sensor-session-stopped", "", "sensor-type-incorrect", "sensor-malfunction", "device-specific-alert", ""),
            *("", "sensor-calibration-not-allowed", "sensor-calibration-recommended", "sensor-calibration-required"),
            *("sensor-temp-too-high", "sensor-temp-too-low", "sensor-result-below-patient-low"),
            *("sensor-result-above-patient-high", "sensor-low-hypo", "sensor-high-hyper"),
            *("sensor-rate-decrease-exceeded", "sensor-rate-increase-exceeded", "sensor-result-too-low"),
            *("sensor-result-too-high", "sensor-com-out-of-range"),
        ),
        8418512: _bits(
            16,
            *("Battery-status-Undetermined", "Battery-absent", "Battery-active", "Battery-charging"),
            *("Battery-fullyCharged", "Battery-disposable", "Battery-rechargeable", "Battery-overTemperature"),
            *("Battery-faulty", "Battery-incompatible"),
            states=(0, 1, 2, 3, 4, 5, 6),
        ),
    }
)
"""Bits by the context-free code of the observation's type."""

_UNNAMED = MappingProxyType[int, str]({})
_WIDTHS = (16, 32)


def bit_components(type_: Code, bits: int) -> list[Json]:
    """Return the components of a bit string: set bits, and each state. A bit of an unknown type has no name, and its
    string is taken as the shortest one of 16 or 32 bits that holds it. Without any, all known bits are stated."""
    known = KNOWN.get(type_.context_free) or StatusBits(_WIDTHS[bits >> 16 > 0], _UNNAMED)
    is_set = {number for number in range(known.width) if bits >> (known.width - 1 - number) & 1}
    reported = sorted(is_set | known.states) or sorted(known.names)
    return [
        {
            "code": concept(coding(BITS, f"{type_.context_free}.{number}", known.names.get(number, ""))),
            "valueBoolean": number in is_set,
        }
        for number in reported
    ]
