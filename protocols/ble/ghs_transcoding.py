"""Conversion of Health Observations to `Observation` objects and their channels (reference BLE §10).

A channel describes the quantity that its observations measure. A health sensor may measure anything, so there is no
fixed table of channels. A channel is created when an observation with a new combination of type, unit, person and
supplementals arrives, and a limited number of channels is kept. The handle of a channel depends on its type alone
(`handle_of`), so it is the same in each connection.

A compound of numbers in one unit is one observation with components, as in 20601; any other compound becomes one
observation for each component. A duration is a separate observation beside the value, as for 20601 devices.

Some observations are also emitted as uninterpreted bytes: value classes that are not decoded, samples whose scaling or
sign is not confirmed, relations to other observations, and status bits that Measurement-Status does not have.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from protocols.ble.elapsed_time import dated
from protocols.ble.ghs_observation import (
    Bundle,
    Compound,
    Discrete,
    Events,
    GhsObservation,
    GhsValue,
    Numeric,
    Raw,
    Samples,
    Text,
)
from protocols.bounded_map import BoundedMap
from protocols.device_time import DeviceTime
from protocols.ieee11073.dim.identity import printable
from protocols.ieee11073.nomenclature import Code, code_of
from protocols.observation import Channel, Observation, SampleArray, SampleFormat, Special, Value

CHANNELS_MAX: Final = 256
"""Channels kept for one connection. A sensor that sends more types evicts the oldest channel, which costs only time."""
TEXT_BYTES_MAX: Final = 16_384
"""Limit of a text, as in `dim.value_fields`: the largest that an observation can carry uplink, even where each byte is
no text and grows."""
_SECOND = code_of("MDC_DIM_SEC")
_ACTIVE_PERIOD = code_of("MDC_ATTR_TIME_PD_MSMT_ACTIVE")

STATUS_BITS: Final[Mapping[int, int]] = {
    0x0001: 0x8000,  # invalid
    0x0002: 0x4000,  # questionable
    0x0004: 0x2000,  # not available
    0x0008: 0x1000,  # calibrating
    0x0010: 0x0800,  # test data
    0x0020: 0x0040,  # early estimate
    0x4000: 0x0002,  # beyond its thresholds: in alarm
    0x8000: 0x0001,  # thresholds disabled: alarm inhibited
}
"""Status bit of the service to Measurement-Status. Manually entered (6) and setting (7) have no bit there."""
_TRANSCODED: Final = sum(STATUS_BITS)
_FORMATS: Final = {1: SampleFormat.U8, 2: SampleFormat.U16, 4: SampleFormat.U32}


@dataclass(slots=True)
class Transcoded:
    """Conversion of one Health Observation. `raw`: reasons to emit the bytes of the Health Observation uninterpreted as
    well. `dropped_times`: reasons why a time stamp was dropped."""

    observations: list[Observation] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    dropped_times: list[str] = field(default_factory=list)
    unrelated_ids: bool = False
    """The observation has an id, which is not recorded. Other observations may refer to it."""


@dataclass(frozen=True, slots=True)
class _Context:
    """Fields of a Health Observation that apply to each of its values."""

    time: DeviceTime | None
    status: int
    person: int | None
    supplementals: tuple[Code, ...]
    received_s: float


def handle_of(observed: Code) -> int:
    """Return the handle for an observation type, 1…65535: the code XOR the partition. Two types of one partition have
    different handles; types of different partitions may share a handle and are distinguished by the type itself."""
    return (observed.code ^ observed.partition) or 1


def context_free(number: int) -> Code:
    """Split a context-free code into partition (upper 16 bits) and code (lower 16 bits)."""
    return Code(number >> 16, number & 0xFFFF)


class GhsTranscoding:
    """Converter of Health Observations in one connection. Observations of one quantity and person share a channel."""

    def __init__(self) -> None:
        self._channels: BoundedMap[Channel, Channel] = BoundedMap(CHANNELS_MAX)

    def transcoded(self, observation: GhsObservation, received_s: float) -> Transcoded:
        found = Transcoded()
        self._observe(observation, received_s, found)
        return found

    def _observe(self, observation: GhsObservation, received_s: float, found: Transcoded) -> None:
        if isinstance(observation.value, Bundle):
            for member in observation.value.members:
                self._observe(_inherited(member, observation), received_s, found)
            return
        _note_what_has_no_place(observation, found)
        if observation.type is None:
            found.raw.append("an observation without a type")
            return
        time = None
        if observation.time is not None:
            time, why_not = dated(observation.time)
            if why_not:
                found.dropped_times.append(why_not)
        context = _Context(
            time=time,
            status=sum(bit for sent, bit in STATUS_BITS.items() if (observation.status or 0) & sent),
            person=observation.patient,
            supplementals=tuple(map(context_free, observation.supplementals or ())),
            received_s=received_s,
        )
        observed = context_free(observation.type)
        found.observations += self._values(observed, observation.value, context, found)
        if observation.duration_s is not None:
            period = self._channel(_ACTIVE_PERIOD, context, unit=_SECOND, handle=handle_of(observed))
            found.observations.append(_observation(period, observation.duration_s, context))

    def _values(self, observed: Code, value: GhsValue, context: _Context, found: Transcoded) -> Iterator[Observation]:
        match value:
            case Numeric():
                channel = self._channel(observed, context, unit=Code(4, value.unit))
                yield _observation(channel, value.value, context)
            case Discrete():
                yield _observation(self._channel(observed, context), context_free(value.code), context)
            case Events():
                for code in value.codes:
                    yield _observation(self._channel(observed, context), context_free(code), context)
            case Text():
                if len(value.octets) > TEXT_BYTES_MAX:
                    found.raw.append("a text that is longer than an observation can be")
                else:
                    yield _observation(self._channel(observed, context), printable(value.octets), context)
            case Samples():
                yield from self._samples(observed, value, context, found)
            case Compound():
                yield from self._compound(observed, value, context, found)
            case Bundle():
                found.raw.append("a bundle inside a compound")
            case Raw():
                found.raw.append(f"a value of class {value.observation_class}, whose layout is not known")

    def _compound(self, observed: Code, value: Compound, context: _Context, found: Transcoded) -> Iterator[Observation]:
        numbers = [each.value for each in value.components if isinstance(each.value, Numeric)]
        if numbers and len(numbers) == len(value.components) and len({each.unit for each in numbers}) == 1:
            components = tuple(context_free(each.type) for each in value.components)
            channel = self._channel(observed, context, unit=Code(4, numbers[0].unit), components=components)
            yield _observation(channel, tuple(each.value for each in numbers), context)
            return
        for component in value.components:
            yield from self._values(context_free(component.type), component.value, context, found)

    def _samples(self, observed: Code, value: Samples, context: _Context, found: Transcoded) -> Iterator[Observation]:
        array = _array(value)
        if array is None:
            found.raw.append("samples whose scaling, sign or rate is not confirmed")
            return
        channel = self._channel(observed, context, unit=Code(4, value.unit), array=array)
        samples = bytearray(len(value.octets))
        for place in range(value.sample_bytes):  # reverse the bytes of each sample to big-endian
            samples[place :: value.sample_bytes] = value.octets[value.sample_bytes - 1 - place :: value.sample_bytes]
        yield Observation(channel, None, bytes(samples), context.status, context.time, context.received_s)

    def _channel(
        self,
        observed: Code,
        context: _Context,
        *,
        unit: Code | None = None,
        components: tuple[Code, ...] = (),
        array: SampleArray | None = None,
        handle: int | None = None,
    ) -> Channel:
        """Return the channel with these properties; equal properties always give the same object. `handle` None: the
        handle is `handle_of(observed)`."""
        channel = Channel(
            handle=handle_of(observed) if handle is None else handle,
            type=observed,
            unit=unit,
            person=context.person,
            components=components,
            supplemental_types=context.supplementals,
            array=array,
        )
        return self._channels.use(channel, lambda: channel)


def _observation(channel: Channel, value: Value, context: _Context) -> Observation:
    return Observation(channel, value, None, context.status, context.time, context.received_s)


def _inherited(member: GhsObservation, bundle: GhsObservation) -> GhsObservation:
    """Return the member of a bundle. Fields that the member does not have are copied from the bundle."""
    return replace(
        member,
        type=bundle.type if member.type is None else member.type,
        time=bundle.time if member.time is None else member.time,
        duration_s=bundle.duration_s if member.duration_s is None else member.duration_s,
        status=bundle.status if member.status is None else member.status,
        patient=bundle.patient if member.patient is None else member.patient,
        supplementals=bundle.supplementals if member.supplementals is None else member.supplementals,
        observation_id=bundle.observation_id if member.observation_id is None else member.observation_id,
        derived_from=bundle.derived_from if member.derived_from is None else member.derived_from,
        member_of=bundle.member_of if member.member_of is None else member.member_of,
    )


def _note_what_has_no_place(observation: GhsObservation, found: Transcoded) -> None:
    if observation.derived_from or observation.member_of:
        found.raw.append("what the observation is derived from or a member of")
    elif observation.observation_id is not None:
        found.unrelated_ids = True
    if (observation.status or 0) & ~_TRANSCODED:
        found.raw.append("a status that Measurement-Status has no bit for")


def _array(value: Samples) -> SampleArray | None:
    """Return the conversion of samples to values, or None where the conversion depends on unconfirmed rules. The
    conversion is certain if the offset is 0 (both scaling formulas are equal) and no sample has its highest bit set
    (signed and unsigned are equal)."""
    sample_format = _FORMATS.get(value.sample_bytes)
    scale, period_s = value.scale, value.period_s
    if sample_format is None or isinstance(scale, Special) or isinstance(period_s, Special):
        return None
    signed = any(octet & 0x80 for octet in value.octets[value.sample_bytes - 1 :: value.sample_bytes])
    if value.offset != 0.0 or signed or value.per_period != 1 or period_s <= 0:
        return None
    return SampleArray(format=sample_format, period_s=period_s, slope=scale, offset=0.0)
