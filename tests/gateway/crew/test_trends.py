"""Trends of the crew page: what the gateway keeps in memory, within its limits, and how it is described."""

from gateway.crew.languages import language
from gateway.crew.trends import MARKS_MAX, POINTS_MAX, PRESSURES_MAX, SERIES_MAX, STEP_S, Trends
from gateway.live import LiveDevice, LiveFeed, LiveUpdate
from protocols.observation import Observation
from tests.builders.crew_live import CUFF, MONITOR, blood_pressure, ecg, live_device, reading, spo2
from tests.builders.crew_vitals import DEFIBRILLATOR, defibrillator, heart_rate

ENGLISH = language("en")


def trends(*updates: tuple[LiveDevice, list[Observation]]) -> Trends:
    """Return trends that have received `updates`, in order."""
    found = Trends(LiveFeed())
    for device, observations in updates:
        found.add(LiveUpdate(device, tuple(observations), 0))
    return found


def shock(number: int, *, at_s: float) -> list[Observation]:
    return [
        reading("X_PRIVATE_06", 200.0, "MDC_DIM_X_JOULES", received_s=at_s, handle=20),
        reading("X_PRIVATE_05", float(number), None, received_s=at_s, handle=22),
    ]


def test_trend_point_has_the_lowest_highest_and_last_value_of_its_step():
    monitor = live_device(MONITOR)
    found = trends((monitor, [spo2(value, received_s=30.0 + at) for at, value in enumerate((97.0, 71.0, 95.0))]))
    (series,) = found.form(60.0, ENGLISH)["series"]
    assert (series["label"], series["unit"], series["device"]) == ("SpO₂", "%", MONITOR.model)
    assert series["points"] == [[60.0 - 2.5 * STEP_S, 71.0, 97.0, 95.0]]


def test_trends_keep_a_limited_number_of_points_channels_and_pressures():
    monitor = live_device(MONITOR)
    found = trends((monitor, [spo2(97.0, received_s=at * STEP_S) for at in range(POINTS_MAX + 5)]))
    for handle in range(100, 100 + SERIES_MAX):
        rate = reading("MDC_ECG_HEART_RATE", 70.0, None, received_s=1e6 + handle, handle=handle)
        found.add(LiveUpdate(monitor, (rate,), 0))
    pressures = [blood_pressure(120.0, 80.0, 93.0, received_s=float(at)) for at in range(PRESSURES_MAX + 5)]
    found.add(LiveUpdate(live_device(CUFF), tuple(pressures), 0))
    for number in range(MARKS_MAX + 5):
        found.add(LiveUpdate(defibrillator(last_s=0.0), tuple(shock(number, at_s=0.0)), 0))
    form = found.form(2e6, ENGLISH)
    assert len(form["series"]) == SERIES_MAX
    assert {each["label"] for each in form["series"]} == {"HR"}
    assert (len(form["pressures"]), len(form["marks"])) == (PRESSURES_MAX, MARKS_MAX)


def test_trend_of_a_channel_drops_its_oldest_points_after_six_hours():
    found = trends((live_device(MONITOR), [spo2(97.0, received_s=at * STEP_S) for at in range(POINTS_MAX + 5)]))
    (series,) = found.form(0.0, ENGLISH)["series"]
    assert len(series["points"]) == POINTS_MAX == 6 * 3600 / STEP_S


def test_blood_pressures_are_listed_with_their_age_and_device():
    found = trends((live_device(CUFF), [blood_pressure(121.0, 79.0, 93.0, received_s=10.0)]))
    (pressure,) = found.form(70.0, ENGLISH)["pressures"]
    assert pressure == {
        "age_s": 60.0,
        "text": "121/79 (93)",
        "device": CUFF.model,
        "sys": 121.0,
        "dia": 79.0,
        "mean": 93.0,
    }


def test_shock_pads_and_lost_device_are_marked_once():
    pads_on = reading("X_PRIVATE_08", 0x8000, None, received_s=1.0, handle=12)
    pads_off = reading("X_PRIVATE_08", 0, None, received_s=3.0, handle=12)
    defib = defibrillator(last_s=0.0)
    lost = LiveDevice(ref=DEFIBRILLATOR, link="serial:x", connected=False, since_s=5.0)
    found = trends((defib, [pads_on, pads_on]), (defib, shock(1, at_s=2.0)), (defib, [pads_off, pads_off]), (lost, []))
    assert [each["words"] for each in found.form(10.0, ENGLISH)["marks"]] == [
        "Shock 200 J",
        "Pads not attached",
        f"Disconnected: {DEFIBRILLATOR.model}",
    ]


def test_waveforms_and_treatment_have_no_trend():
    treatment = reading("X_PRIVATE_01", 110.0, None, received_s=1.0, handle=30)
    found = trends((live_device(MONITOR), [ecg(0, received_s=0.0), treatment, heart_rate(70.0, received_s=0.0)]))
    assert [each["tile"] for each in found.form(1.0, ENGLISH)["series"]] == ["heart-rate"]
