"""Reports of every device in an ambulance, for tests of the crew page."""

from gateway.live import LiveDevice, LiveFeed
from protocols.observation import Observation, Scalar
from protocols.uplink.observations import DeviceRef
from tests.builders.crew_live import CUFF, MONITOR, OXIMETER, blood_pressure, ecg, live_device, pleth, reading, spo2

THERMOMETER = DeviceRef("11223344556677bb", "SIM TEMP-1")
DEFIBRILLATOR = DeviceRef("11223344556677cc", "SIM DEFIB")


def pulse(bpm: float, *, received_s: float) -> Observation:
    return reading("MDC_PULS_OXIM_PULS_RATE", bpm, "MDC_DIM_BEAT_PER_MIN", received_s=received_s, handle=2)


def heart_rate(bpm: Scalar, *, received_s: float) -> Observation:
    return reading("MDC_ECG_HEART_RATE", bpm, "MDC_DIM_BEAT_PER_MIN", received_s=received_s, handle=3)


def temperature(celsius: float, *, received_s: float) -> Observation:
    return reading("MDC_TEMP_BODY", celsius, "MDC_DIM_DEGC", received_s=received_s, handle=6)


def compressions(per_min: float, *, received_s: float) -> Observation:
    return reading("X_PRIVATE_01", per_min, "MDC_DIM_BEAT_PER_MIN", received_s=received_s, handle=30)


def monitor_values(now_s: float) -> list[Observation]:
    """Return one observation of each numeric that the monitor reports."""
    return [
        heart_rate(72.0, received_s=now_s),
        reading("MDC_AWAY_CO2_ET", 38.0, "MDC_DIM_MMHG", received_s=now_s, handle=4),
        reading("MDC_RESP_RATE", 14.0, "MDC_DIM_RESP_PER_MIN", received_s=now_s, handle=5),
        reading("MDC_PULS_OXIM_SAT_O2", 96.0, "MDC_DIM_PERCENT", received_s=now_s, handle=9),
    ]


def send_monitor(feed: LiveFeed, now_s: float) -> None:
    """Add one second of the monitor's data to the feed: its numerics, its ECG and its plethysmogram."""
    waves = [ecg(0, received_s=now_s), pleth(received_s=now_s)]
    feed.observed(live_device(MONITOR, last_s=now_s), [*monitor_values(now_s), *waves], 0)


def send_oximeter(feed: LiveFeed, now_s: float, percent: float = 97.0) -> None:
    """Add the oximeter's saturation and pulse rate to the feed."""
    values = [spo2(percent, received_s=now_s), pulse(71.0, received_s=now_s)]
    feed.observed(live_device(OXIMETER, last_s=now_s), values, 0)


def send_temperature(feed: LiveFeed, now_s: float, *, connected: bool = True) -> None:
    """Add one body temperature to the feed; with `connected` false, the thermometer has disconnected."""
    device = live_device(THERMOMETER, connected=connected, last_s=now_s)
    feed.observed(device, [temperature(36.8, received_s=now_s)], 0)


def fill_ambulance(feed: LiveFeed, now_s: float) -> None:
    """Add a monitor, an oximeter, a cuff, a thermometer and a defibrillator to the feed, each connected and with
    values."""
    send_monitor(feed, now_s)
    send_oximeter(feed, now_s)
    feed.observed(live_device(CUFF, last_s=now_s), [blood_pressure(121.0, 79.0, 93.0, received_s=now_s - 240)], 0)
    send_temperature(feed, now_s - 60)
    pads = [
        reading("X_PRIVATE_08", 0x8000, None, received_s=now_s, handle=12),
        reading("X_PRIVATE_09", 78.0, "MDC_DIM_X_OHM", received_s=now_s, handle=11),
        heart_rate(74.0, received_s=now_s),
    ]
    feed.observed(defibrillator(last_s=now_s), pads, 0)


def defibrillator(*, last_s: float) -> LiveDevice:
    """Return the defibrillator as a connected device that last sent data at `last_s`."""
    return live_device(DEFIBRILLATOR, last_s=last_s)
