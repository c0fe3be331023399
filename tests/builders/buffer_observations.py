"""Synthetic observations in the quantities that tests of the buffer need. Devices and values are obviously invented."""

from random import Random

from protocols.device_time import DeviceTime, TimeKind
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, Observation, SampleArray, SampleFormat
from protocols.uplink.events import GatewayEvent
from protocols.uplink.observations import DeviceObservations, DeviceRef

OXIMETER = DeviceRef("00000000000000aa", "Invented Oximeter")
BOOT = "boot-1"
WALL_OFFSET_US = 1_699_999_000_000_000

SATURATION = Channel(handle=1, type=Code(2, 19384), unit=Code(4, 544))
PULSE_RATE = Channel(handle=10, type=Code(2, 18458), unit=Code(4, 2720))
PLETH = Channel(
    handle=20,
    type=Code(2, 19380),
    array=SampleArray(format=SampleFormat.I16, period_s=0.01, slope=0.5, offset=0.0),
)
ALARM = Channel(handle=30, type=Code(3, 196))


def numerics(count: int = 2, *, first: float = 0.0, at_s: float = 1000.0) -> list[Observation]:
    """Return `count` observations, alternately saturation and pulse rate, 1 ms apart; their values count up from
    `first`, so that each is distinct."""
    return [
        Observation((SATURATION, PULSE_RATE)[n % 2], first + n, None, 0, None, at_s + n / 1000) for n in range(count)
    ]


def timed_numerics(count: int, *, at_s: float = 1000.0) -> list[Observation]:
    """Return `count` observations, alternately saturation and pulse rate, each with an absolute device time, as an
    oximeter of IEEE 11073-20601 sends them."""
    time = DeviceTime(TimeKind.ABSOLUTE, bytes.fromhex("2025010203040506"))
    return [
        Observation((SATURATION, PULSE_RATE)[n % 2], 90.0 + n % 10, None, 0, time, at_s + n / 1000)
        for n in range(count)
    ]


def noisy_numerics(count: int, *, seed: int = 0) -> list[Observation]:
    """Return observations with random values, which do not compress, to fill a disk."""
    rng = Random(seed)
    return [Observation(PULSE_RATE, rng.random(), None, 0, None, 1000.0) for _ in range(count)]


def waveform(count: int = 1, *, samples: int = 100, at_s: float = 1000.0) -> list[Observation]:
    """Return `count` sample arrays of a plethysmogram. The samples are noise, which does not compress, so that they
    take their full size on the disk."""
    octets = Random(samples).randbytes(2 * samples)
    return [Observation(PLETH, None, octets, 0, None, at_s + n * samples / 100) for n in range(count)]


def alarm(at_s: float = 1000.0) -> list[Observation]:
    """Return one alarm, which the buffer stores in the lane (the queue) of events."""
    return [Observation(ALARM, Code(3, 196), None, 0, None, at_s)]


def section(observations: list[Observation], *, device: DeviceRef = OXIMETER) -> DeviceObservations:
    """Return `observations` as the live observations of one device, from a gateway whose clock is synchronised."""
    return DeviceObservations(
        device=device,
        boot_id=BOOT,
        wall_offset_us=WALL_OFFSET_US,
        wall_synchronised=True,
        device_offset_us=None,
        uncertainty_us=1000,
        stored=False,
        observations=observations,
    )


def connected(device: str = OXIMETER.system_id) -> GatewayEvent:
    """Return a `device.connected` event of the device with this system id."""
    return GatewayEvent(name="device.connected", at_us=1_700_000_000_000_000, boot_id=BOOT, device=device, fields={})
