"""A crew reads words: states that come as bits, also those that no table knows."""

from gateway.crew.vitals import state_as_read, vital_of
from protocols.ieee11073.nomenclature import code_of

PADS = code_of("X_PRIVATE_08")


def test_the_pads_are_attached_or_not():
    assert vital_of(PADS)[1].label == "Pads"
    assert state_as_read(PADS, 0x8000) == "attached"
    assert state_as_read(PADS, 0) == "not attached"


def test_a_state_without_a_word_is_shown_as_its_bits():
    assert state_as_read(PADS, 0x4100) == "0x4100"
    assert state_as_read(code_of("MDC_ECG_HEART_RATE"), 3) == "0x3"
