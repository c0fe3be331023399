"""The texts in messages to the crew page: values and states, age limits, and the choice of waveforms."""

import pytest

from gateway.crew.languages import language
from gateway.crew.presentation import device_form, snapshot_form, value_form
from gateway.crew.vitals import label_words, limits_s, place, state_words
from gateway.live import LiveDevice, LiveFeed
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation
from protocols.uplink.observations import DeviceRef
from tests.builders.crew_live import CUFF, MONITOR, OXIMETER, blood_pressure, ecg, live_device, pleth
from tests.builders.crew_vitals import DEFIBRILLATOR, defibrillator, fill_ambulance

ENGLISH = language("en")
PADS = code_of("X_PRIVATE_08")


def test_defibrillator_pads_state_is_shown_as_attached_or_not_attached():
    assert label_words(PADS, place(PADS).vital, ENGLISH) == "Pads"
    assert state_words(PADS, 0x8000, ENGLISH) == "attached"
    assert state_words(PADS, 0, ENGLISH) == "not attached"


def test_state_bits_without_a_label_are_shown_in_hexadecimal():
    assert state_words(PADS, 0x4100, ENGLISH) == "0x4100"
    assert state_words(code_of("MDC_ECG_HEART_RATE"), 3, ENGLISH) == "0x3"


def test_questionable_value_is_shown_with_a_status_flag():
    oximeter = LiveDevice(
        ref=DeviceRef("024152fffe210001", "SIM"), link="ble:02:41:52:21:00:01", connected=True, since_s=0.0
    )
    channel = Channel(handle=1, type=code_of("MDC_PULS_OXIM_SAT_O2"))

    def words(status: int) -> list[str]:
        form = value_form(oximeter, Observation(channel, 97.0, None, status, None, 1.0), 1.0, ENGLISH)
        return list(form["status"])

    assert words(0x0080) == words(0) == []
    assert words(0x4080) == ["questionable"]


def test_observation_type_without_an_assigned_tile_gets_its_own_tile_at_the_end():
    unknown = code_of("MDC_PRESS_BLD_ART_ABP")
    assert place(unknown).order > place(PADS).order
    assert place(unknown).tile.name == "MDC_PRESS_BLD_ART_ABP"
    assert label_words(unknown, place(unknown).vital, ENGLISH) == "ABP invasive (compound/waveform)"


@pytest.mark.parametrize(
    ("type_name", "modality", "limits"),
    [
        ("MDC_PULS_OXIM_SAT_O2", None, (10.0, 30.0)),
        ("MDC_PULS_OXIM_SAT_O2", "MDC_MODALITY_SPOT", (900.0, 900.0)),
        ("MDC_PRESS_BLD_ART_ABP", None, (10.0, 30.0)),
        ("MDC_PRESS_BLD_NONINV", None, (900.0, 900.0)),
        ("MDC_CONC_GLU_ISF", None, (900.0, 900.0)),
        ("MDC_TEMP_AXILLA", None, (900.0, 900.0)),
    ],
)
def test_age_at_which_a_value_is_stale_depends_on_its_type_and_modality(
    type_name: str, modality: str | None, limits: tuple[float, float]
):
    channel = Channel(handle=1, type=code_of(type_name), supplemental_types=(code_of(modality),) if modality else ())
    assert limits_s(channel, place(channel.type).vital) == limits


def test_device_without_a_model_name_is_shown_with_a_readable_name_and_the_kind_of_its_connection():
    unnamed = LiveDevice(ref=DeviceRef("00091ffffe801002", ""), link="serial:/dev/ttyUSB0", connected=True, since_s=0.0)
    form = device_form(unnamed, 1.0, ENGLISH)
    assert (form["name"], form["link"]) == ("Unnamed device 1002", "cable")


def test_blood_pressure_is_shown_as_systolic_over_diastolic_with_the_mean():
    cuff = LiveDevice(ref=CUFF, link="ble:x", connected=True, since_s=0.0)
    form = value_form(cuff, blood_pressure(121.0, 79.0, 93.0, received_s=1.0), 1.0, ENGLISH)
    assert (form["text"], form["more"]) == ("121/79", "(93)")


def test_ecg_strip_shows_lead_two_of_the_connected_device_with_the_most_vital_signs():
    feed = LiveFeed()
    feed.observed(defibrillator(last_s=0.0), [ecg(0, received_s=0.0)], 0)
    fill_ambulance(feed, 0.0)
    feed.observed(live_device(OXIMETER, last_s=0.0), [pleth(received_s=0.0)], 0)

    def traces(*wanted: str) -> list[str]:
        return [each["id"] for each in snapshot_form(feed.snapshot(), wanted, 1.0, ENGLISH)["traces"]]

    assert traces() == [f"{MONITOR.system_id}:20", f"{MONITOR.system_id}:21"]
    chosen = f"{DEFIBRILLATOR.system_id}:20"
    assert traces(chosen, "nothing:0") == [chosen, f"{MONITOR.system_id}:21"]
    feed.device(live_device(MONITOR, connected=False))
    assert traces() == [chosen, f"{OXIMETER.system_id}:21"]
