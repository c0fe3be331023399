"""Attributes of any object are read on command, and a device that refuses them is served further."""

import pytest

from protocols.errors import LocalProtocolError
from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import ErrorValue
from protocols.ieee11073.association import AttributesRead, AttributesWithheld, State
from protocols.ieee11073.association.attribute_reading import ATTRIBUTES_MAX
from protocols.ieee11073.dim import Attribute
from tests.builders.ieee11073_apdus import abrt, roer
from tests.builders.ieee11073_devices import OXIMETER, ecg_configuration
from tests.builders.ieee11073_pair import association_pair
from tests.builders.requests_device import attributes, device

UNIT = AvaType(Attribute.UNIT_CODE, b"\x02\x20")


def test_get_request_contains_the_object_handle_and_the_requested_attributes() -> None:
    played = device(OXIMETER)
    played.manager.attribute_reading.read(1, (Attribute.UNIT_CODE, 9999), now_s=1.0)
    (asked,) = played.asked()
    assert asked.message is MessageTag.GET
    assert asked.octets[10:].hex() == "000a" + "0001" + "0002" + "0004" + "0996" + "270f"
    assert played.says(attributes(asked.invoke_id, (UNIT,), 1)) == [AttributesRead(1, ((0x0996, b"\x02\x20"),))]


def test_get_without_a_list_requests_all_attributes() -> None:
    played = device(OXIMETER)
    played.manager.attribute_reading.read(0, now_s=1.0)
    (asked,) = played.asked()
    assert asked.body.attribute_id_list == ()


def test_refused_get_is_reported_with_a_readable_reason() -> None:
    played = device(OXIMETER)
    played.manager.attribute_reading.read(77, now_s=1.0)
    (asked,) = played.asked()
    told = played.says(roer(asked.invoke_id, ErrorValue.NO_SUCH_OBJECT_INSTANCE))
    assert AttributesWithheld(77, "ROER no-such-object-instance (1)") in told
    assert played.manager.state is State.OPERATING


def test_attribute_reading_needs_an_association_and_a_bounded_list() -> None:
    played = device(OXIMETER)
    with pytest.raises(LocalProtocolError, match="at most"):
        played.manager.attribute_reading.read(0, range(ATTRIBUTES_MAX + 1), now_s=1.0)
    played.says(abrt())
    with pytest.raises(LocalProtocolError, match="no association"):
        played.manager.attribute_reading.read(0, now_s=1.0)


def test_agent_responds_to_a_get_of_the_manager() -> None:
    pair = association_pair(ecg_configuration(), step=1).associate()
    pair.manager.attribute_reading.read(3, (Attribute.OPERATIONAL_STATE,), now_s=1.0)
    pair.exchange()
    assert pair.manager_events[-1] == AttributesRead(3, ((Attribute.OPERATIONAL_STATE, b"\0\1"),))
