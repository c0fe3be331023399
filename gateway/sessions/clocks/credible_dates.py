"""Decide which measurements get a content key: those with a date that a working clock could give.

Of stored measurements that agree in device, metric, date and value, the cloud keeps one (DESIGN D3), so that a device
which resends unacknowledged reports adds nothing. This is right only while dates distinguish readings. The clock of
many devices restarts at a default date after each power-on, or stands still with an empty battery. Two true readings
then have one date, and one of them would be dropped although it was confirmed. So a measurement has a content key only
where

* its date is valid, and is not a first of January far from now, where default dates lie;
* its date is neither further in the future than a time zone can explain, nor older than any known device memory;
* the clock that gave the date is set: its error, as far as it is known, is no larger than a time zone can explain;
* its date is not the date of the previous reading, nor one at which this clock was seen standing still.

A measurement without a key is stored each time that it arrives. A reader can see such a duplicate, but could not see a
dropped reading. Waveforms of a report never have a key; the gateway recognises those that a device resends
(`resent_waveforms`).

While the gateway's own clock is not synchronised, it is by design never ahead of the true time (DESIGN D5). During that
time, the gateway's clock is used only to refuse dates that are too far in the past.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gateway.sessions.clocks.device_clock import DeviceClocks
from gateway.sessions.devices.history import DeviceHistory
from gateway.transports.clock import Instant
from protocols.bounded_map import BoundedMap
from protocols.device_time import TimeKind
from protocols.observation import Observation

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
ZONE_US_MAX = 26 * _HOUR_US
"""Greatest distance of a local clock from UTC: 14 h for the zone, and 12 h for the wrong half of the day."""
MEMORY_US_MAX = 731 * _DAY_US
"""Greatest age of a reading in a device's memory: a diligent patient fills a meter's memory within a year."""
DEFAULT_DATE_US = 3 * _DAY_US
"""Distance from now within which a first of January is not treated as a default date."""
DEVICES_MAX = 64
CHANNELS_MAX = 256
"""Maximum number of channels of one device whose last date is kept."""
STANDING_MAX = 16
"""Maximum number of dates of one device at which its clock was seen standing still."""
DATES = frozenset({TimeKind.ABSOLUTE, TimeKind.BASE_OFFSET})
"""Kinds of a device's clock that give a date; the others count from its power-on."""


@dataclass(frozen=True, slots=True)
class Now:
    """State of the clocks when observations were received; `wall_us` is the gateway's wall time. `offsets_us`: for each
    kind of device clock whose offset is known, the µs to add to a time of that clock to get UTC. `association`
    identifies the present association."""

    wall_us: int
    synchronised: bool
    association: object
    offsets_us: Mapping[TimeKind, int]


def now_at(
    instant: Instant,
    device: str,
    observations: Sequence[Observation],
    clocks: DeviceClocks,
    report: DeviceHistory | None,
    *,
    synchronised: bool,
    association: object,
) -> Now:
    """Return the state of the clocks at the reception of `observations`. If the present run of the gateway has not read
    a device clock yet, the offset of this clock is taken from `report`, the device's history."""
    kinds = {each.device_time.kind for each in observations if each.device_time is not None} & DATES
    wall_offset_us = instant.wall_us - round(instant.monotonic_s * 1_000_000)
    offsets_us: dict[TimeKind, int] = {}
    for kind in kinds:
        relation = clocks.clock(device, kind).relation()
        seen = None if report is None else report.clocks.get(kind)
        if relation.offset_us is not None:
            offsets_us[kind] = wall_offset_us + relation.offset_us
        elif seen is not None and seen.offset_us is not None:
            offsets_us[kind] = seen.offset_us
    return Now(instant.wall_us, synchronised, association, offsets_us)


@dataclass(frozen=True, slots=True)
class _Last:
    """Latest reading of one channel: its date (`time`), its value and status (`reading`), and the association that sent
    it."""

    time: bytes
    reading: tuple[object, int]
    association: object


@dataclass(slots=True)
class _Device:
    channels: BoundedMap[tuple[int, int | None], _Last] = field(default_factory=lambda: BoundedMap(CHANNELS_MAX))
    standing: BoundedMap[bytes, None] = field(default_factory=lambda: BoundedMap(STANDING_MAX))
    unset: set[TimeKind] = field(default_factory=set)
    """Kinds of the device's clocks whose last known error was larger than any time zone can explain."""


class CredibleDates:
    """Check whether a working clock could have given a date, for all devices of one gateway. The number of remembered
    dates is limited. A forgotten date does little harm: at worst one repeated reading is dropped as a duplicate."""

    def __init__(self) -> None:
        self._devices: BoundedMap[str, _Device] = BoundedMap(DEVICES_MAX)

    def of_live(self, system_id: str, observations: Sequence[Observation], now: Now) -> list[bool]:
        """Return for each observation of a confirmed report or an indication, in the order of sending, whether it may
        have a content key, by which the cloud drops duplicates."""
        device = self._device(system_id)
        self._judge_clocks(device, now)
        return [
            observation.samples is None
            and self._moves(device, observation, now.association)
            and _is_plausible(observation, now.wall_us, synchronised=now.synchronised)
            and (observation.device_time is not None and observation.device_time.kind not in device.unset)
            for observation in observations
        ]

    def forget(self, system_id: str, observations: Sequence[Observation]) -> None:
        """Forget the dates of observations that the store refused. The device resends these observations with the same
        dates. If their dates were remembered, the repetition could look like a clock that stands still."""
        device = self._device(system_id)
        for observation in observations:
            device.channels.pop(_key(observation), None)

    def _device(self, system_id: str) -> _Device:
        return self._devices.use(system_id, _Device)

    def _judge_clocks(self, device: _Device, now: Now) -> None:
        if not now.synchronised:
            return
        for kind, offset_us in now.offsets_us.items():
            if abs(offset_us) > ZONE_US_MAX:
                device.unset.add(kind)
            else:
                device.unset.discard(kind)

    def _moves(self, device: _Device, observation: Observation, association: object) -> bool:
        """Return whether the device's clock moves, by comparison with the previous reading of this channel. An equal
        reading with the same date in a later association was resent. But the clock stands still if a different reading
        has the same date, or if one association has two readings with the same date."""
        time = observation.device_time
        if time is None:
            return False
        key = _key(observation)
        last = device.channels.get(key)
        here = _Last(time.octets, (observation.value, observation.status), association)
        device.channels[key] = here
        is_repeated = last is not None and last.time == time.octets
        if last is not None and is_repeated and (last.association == association or last.reading != here.reading):
            device.standing[time.octets] = None
        return time.octets not in device.standing


def find_keyed_in_memory(observations: Sequence[Observation], wall_us: int, *, synchronised: bool) -> list[bool]:
    """Return for each observation from a device's memory, in order, whether it may have a content key, by which the
    cloud drops duplicates. The present state of the device's clock does not count, because the clock may have been set
    since the measurements. Of two successive observations of one channel with the same date, only the first has a key.
    """
    before: dict[tuple[int, int | None], bytes] = {}
    keyed = []
    for observation in observations:
        date = b"" if observation.device_time is None else observation.device_time.octets
        repeats = before.get(_key(observation)) == date
        before[_key(observation)] = date
        keyed.append(not repeats and _is_plausible(observation, wall_us, synchronised=synchronised))
    return keyed


def _key(observation: Observation) -> tuple[int, int | None]:
    return observation.channel.handle, observation.channel.person


def _is_plausible(observation: Observation, wall_us: int, *, synchronised: bool) -> bool:
    """Return whether a working clock could have given the date of `observation`, if it was received at the gateway's
    wall time `wall_us`."""
    time = observation.device_time
    local_us = None if time is None or time.kind not in DATES else time.local_us()
    if local_us is None or local_us < wall_us - MEMORY_US_MAX:
        return False
    if synchronised and local_us > wall_us + ZONE_US_MAX:
        return False
    return abs(local_us - wall_us) <= DEFAULT_DATE_US or not _is_default_date(local_us)


def _is_default_date(local_us: int) -> bool:
    moment = _EPOCH + timedelta(microseconds=local_us)
    return (moment.month, moment.day) == (1, 1)
