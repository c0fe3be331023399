"""A crew reads words: states that come as bits, also those that no table knows."""

from gateway.crew.presentation import value_form
from gateway.crew.vitals import state_as_read, vital_of
from gateway.live import LiveDevice
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation
from protocols.uplink.observations import DeviceRef

PADS = code_of("X_PRIVATE_08")


def test_the_pads_are_attached_or_not():
    assert vital_of(PADS)[1].label == "Pads"
    assert state_as_read(PADS, 0x8000) == "attached"
    assert state_as_read(PADS, 0) == "not attached"


def test_a_state_without_a_word_is_shown_as_its_bits():
    assert state_as_read(PADS, 0x4100) == "0x4100"
    assert state_as_read(code_of("MDC_ECG_HEART_RATE"), 3) == "0x3"


def test_a_value_that_its_device_vouches_for_looks_like_any_other_and_a_doubtful_one_does_not():
    oximeter = LiveDevice(ref=DeviceRef("024152fffe210001", "SIM"), link="ble", connected=True, since_s=0.0)
    channel = Channel(handle=1, type=code_of("MDC_PULS_OXIM_SAT_O2"))

    def words(status: int) -> list[str]:
        form = value_form(oximeter, Observation(channel, 97.0, None, status, None, 1.0), 1.0)
        return list(form["status"])

    assert words(0x0080) == words(0) == []
    assert words(0x4080) == ["questionable"]
