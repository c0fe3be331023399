"""Every characteristic value that Argus encodes is decoded to the same value; simulated devices rely on this."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.ble.services import CODECS
from tests.builders.ble_strategies import VALUES


@pytest.mark.parametrize("characteristic", VALUES, ids="{:04X}".format)
@given(data=st.data())
@settings(max_examples=50)
def test_encoded_characteristic_value_is_decoded_to_the_same_value(characteristic: int, data: st.DataObject) -> None:
    codec, value = CODECS[characteristic], data.draw(VALUES[characteristic])
    assert codec.decode(codec.encode(value)) == value
