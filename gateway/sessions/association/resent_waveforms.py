"""Recognises waveforms that a device sends again, because the confirmation of their report did not arrive.

A device keeps a confirmed report until the gateway confirms it. If the gateway is killed, or the link breaks, between
the commit of the report and the confirmation, the device sends the report again at the beginning of its next
association. Values with a credible date have a content key, by which the cloud drops such a duplicate
(`credible_dates`). Waveforms have none, because keys of waveforms were two fifths of the cloud's work. So the gateway
itself recognises them: it remembers the waveforms of each device's last confirmed reports, and after its start it reads
them from its store. They are there, since a report that is sent again is the last thing that was stored of its device.

Only the beginning of an association is compared, up to the first report that was not sent again. A waveform is
recognised by its object, its device time and all its samples. A clock that stands still gives several waveforms one
time; where the remembered waveforms contain two equal ones, none of these is recognised, so no flat line is dropped. A
counter restarts at each power-on; a flat line with the time of a counter is therefore never recognised, and may be
stored twice.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.sessions.clocks.credible_dates import DATES
from protocols.bounded_map import BoundedMap
from protocols.device_time import DeviceTime
from protocols.observation import Observation
from protocols.uplink.observations import DeviceObservations

DEVICES_MAX = 64
"""Maximum number of devices whose waveforms are remembered: more than one vehicle carries."""
REPORTS_MAX = 16
"""Maximum number of remembered reports of one device. A device has few unconfirmed reports, most devices one."""
STORED_BLOCKS = 8
"""Number of blocks that are read from the store at the start. The commit that was not confirmed is the last one of its
lane, and few commits have more than two blocks."""

_Identity = tuple[int, int | None, DeviceTime, bytes]


@dataclass(slots=True)
class _Device:
    """`begun`: the association in which a waveform was stored that had not been sent before."""

    reports: deque[Sequence[Observation]] = field(default_factory=lambda: deque(maxlen=REPORTS_MAX))
    begun: object = None


class ResentWaveforms:
    """The waveforms of the last confirmed reports of all devices of one gateway."""

    def __init__(self) -> None:
        self._devices: BoundedMap[str, _Device] = BoundedMap(DEVICES_MAX)

    def load(self, sections: Iterable[DeviceObservations]) -> None:
        """Remember `sections`, the waveforms that the store in use received last, in order."""
        for section in sections:
            self.remember(section.device.system_id, section.observations, association=None)

    def remember(self, system_id: str, observations: Sequence[Observation], association: object) -> None:
        """Remember the waveforms among `observations`, a confirmed report that is durable now, without the waveforms
        that were durable before."""
        if _has_waveform(observations):
            device = self._devices.use(system_id, _Device)
            device.reports.append(observations)
            device.begun = association

    def without_resent(
        self, system_id: str, observations: Sequence[Observation], association: object
    ) -> Sequence[Observation]:
        """Return `observations`, those of a confirmed report, without the waveforms that are durable already."""
        device = self._devices.get(system_id)
        if device is None or device.begun == association or not _has_waveform(observations):
            return observations
        durable = Counter(_identity(each) for report in device.reports for each in report)
        return [each for each in observations if (identity := _identity(each)) is None or durable[identity] != 1]


def _has_waveform(observations: Sequence[Observation]) -> bool:
    return any(each.samples is not None for each in observations)


def _identity(observation: Observation) -> _Identity | None:
    """Return what distinguishes a waveform of one device from its other waveforms. Return None for an observation
    without samples or a device time, and for a flat line with the time of a counter."""
    channel, samples, time = observation.channel, observation.samples, observation.device_time
    if samples is None or time is None or channel.array is None:
        return None
    if time.kind not in DATES and _is_flat(samples, channel.array.format.width_bytes):
        return None
    return channel.handle, channel.person, time, samples


def _is_flat(samples: bytes, width_bytes: int) -> bool:
    return samples[width_bytes:] == samples[:-width_bytes]
