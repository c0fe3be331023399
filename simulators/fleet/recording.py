"""Recorded minute of simulated devices, which the vehicles of a fleet play in a loop, each from another place.

A simulated patient takes 3 ms of processor time a second, three cores for a thousand vehicles. So some patients are
simulated once, when the fleet starts. The waveforms jump once a minute, where the loop begins again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Final, cast

from gateway.transports.clock import Clock
from protocols.device_time import DeviceTime, absolute_time_at
from protocols.ieee11073.dim.channels import METRICS, ValueMeaning, channel_of
from protocols.ieee11073.dim.configuration import Configuration, attributes_of
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.specializations.extended import BLOCK_S
from protocols.observation import Channel, Observation, Value
from protocols.uplink.lanes import Lane, lane_of
from protocols.uplink.observations import EncodedObservations, encode_observations
from simulators.agents.kinds import build_device
from simulators.fleet.profiles import Profile
from simulators.physiology.patient import Patient
from simulators.scenarios import scenario_of

RECORDING_S: Final = 60.0
"""Length of a recording: it has the report of a cuff, which measures every 45 s, and takes 0.2 s to make."""
RECEIVED_MAX: Final = 80
"""Limit of the received seconds that are kept: those of the vehicles that report at five moments of a second, also if
they are up to sixteen seconds late. Each takes some 20 kB."""
WARM_UP_S: Final = 15.0
"""Time before the recording begins. Monitors count beats and breaths for some seconds before they have a number."""


@dataclass(frozen=True, slots=True)
class RecordedReport:
    """The values of one lane in a report of a device. `at_s` is its time in the recording, `device` the place of the
    device in the profile. The `values` have no times yet."""

    at_s: float
    device: int
    lane: Lane
    values: tuple[Observation, ...]

    def observations(self, time: DeviceTime, received_s: float) -> list[Observation]:
        """Return the values as a gateway receives them at `received_s` of its monotonic clock, measured at `time` of
        the device's clock."""
        return [
            Observation(each.channel, each.value, each.samples, each.status, time, received_s) for each in self.values
        ]


@dataclass(frozen=True, slots=True)
class Second:
    """The reports of all devices of a vehicle in one second, in the order of their times. `end_s` is the time of the
    last one in the recording. `lanes` counts the values by lane."""

    end_s: float
    reports: Sequence[RecordedReport]
    lanes: Mapping[Lane, int]


@dataclass(frozen=True, slots=True)
class ReceivedLane:
    """The values of a lane in a second, encoded without the facts of the devices. `runs`: the place of a device, and
    the number of consecutive values that it sent."""

    lane: Lane
    runs: Sequence[tuple[int, int]]
    values: EncodedObservations


@dataclass(frozen=True, slots=True)
class ReceivedSecond:
    """The values of a second as a gateway receives them. Wall time in µs is `wall_offset_us` + `received_s` of a value
    × 10⁶."""

    wall_offset_us: int
    lanes: Sequence[ReceivedLane]


class Recording:
    """The reports of all devices of a vehicle, in the order of their times."""

    def __init__(self, profile: Profile, seed: int) -> None:
        patient = Patient(seed, scenario_of("stable"))
        devices = [build_device(kind, patient) for kind in profile.kinds]
        channels = [_channels_of(device.configuration) for device in devices]
        reports: list[RecordedReport] = []
        for step in range(1, round((WARM_UP_S + RECORDING_S) / BLOCK_S) + 1):
            now_s = step * BLOCK_S
            patient.advance_to(now_s)
            for place, device in enumerate(devices):
                for measured in device.measure(now_s, _without_time):
                    if now_s > WARM_UP_S:
                        values = _by_lane(_observations(measured.readings, channels[place]))
                        at_s = now_s - BLOCK_S - WARM_UP_S
                        reports += [RecordedReport(at_s, place, lane, tuple(each)) for lane, each in values.items()]
        self.reports = tuple(reports)
        self.seconds = tuple(_second(list(found)) for _, found in groupby(reports, lambda report: int(report.at_s)))
        self._received: dict[tuple[float, float], ReceivedSecond] = {}

    def play(self, start_s: float) -> Iterator[tuple[float, Second]]:
        """Yield the seconds without end, beginning at the whole second `start_s` of the recording. Each comes with the
        time that is added to those of its reports, which then are seconds after the beginning."""
        first = next((n for n, second in enumerate(self.seconds) if second.end_s >= start_s), len(self.seconds))
        loop_s = -start_s
        while self.seconds:
            for second in self.seconds[first:]:
                yield loop_s, second
            first, loop_s = 0, loop_s + RECORDING_S

    def receive(self, second: Second, begin_s: float, clock: Clock) -> ReceivedSecond:
        """Return the values of a second as they are received, where the recording began at `begin_s` of the monotonic
        clock. Vehicles with the same beginning share them: their blocks differ only in the devices, and encoding the
        values once for each vehicle would take a tenth of its processor time."""
        key = second.end_s, begin_s
        known = self._received.get(key)
        if known is not None:
            return known
        wall_offset_us = clock.wall_us() - round(clock.monotonic_s() * 1_000_000)
        runs: dict[Lane, list[tuple[int, int]]] = {lane: [] for lane in second.lanes}
        values: dict[Lane, list[Observation]] = {lane: [] for lane in second.lanes}
        for at_s, found in groupby(second.reports, attrgetter("at_s")):
            received_s = begin_s + at_s
            time = absolute_time_at(wall_offset_us + round(received_s * 1_000_000))
            for report in found:
                runs[report.lane].append((report.device, len(report.values)))
                values[report.lane] += report.observations(time, received_s)
        if len(self._received) >= RECEIVED_MAX:
            del self._received[next(iter(self._received))]
        lanes = [ReceivedLane(lane, runs[lane], encode_observations(values[lane])) for lane in second.lanes]
        self._received[key] = made = ReceivedSecond(wall_offset_us, lanes)
        return made


def _second(reports: Sequence[RecordedReport]) -> Second:
    lanes: Counter[Lane] = Counter()
    for report in reports:
        lanes[report.lane] += len(report.values)
    return Second(reports[-1].at_s, reports, lanes)


def _by_lane(observations: Iterable[Observation]) -> Mapping[Lane, Sequence[Observation]]:
    by_lane: dict[Lane, list[Observation]] = {}
    for observation in observations:
        by_lane.setdefault(lane_of(observation), []).append(observation)
    return by_lane


def _without_time(_patient_s: float) -> DeviceTime:
    """Return a time stamp that is replaced when the report is played."""
    return absolute_time_at(0)


def _channels_of(configuration: Configuration) -> Mapping[int, Channel]:
    """Return the channel of each metric object by its handle, as the gateway derives it from the configuration."""
    return {
        item.obj_handle: channel_of(
            item.obj_handle, item.obj_class, attributes_of(item.attributes), ValueMeaning(), Notes()
        )
        for item in configuration.objects
        if item.obj_class in METRICS
    }


def _observations(readings: tuple[Reading, ...], channels: Mapping[int, Channel]) -> Iterator[Observation]:
    for reading in readings:
        value, channel = reading.value, channels[reading.handle]
        if isinstance(value, bytes):
            yield Observation(channel, None, value, reading.status or 0, None, 0.0)
        elif value is not None:
            # The devices of the profiles send no value that names its own metric or unit.
            yield Observation(channel, cast(Value, value), None, reading.status or 0, None, 0.0)
