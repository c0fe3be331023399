"""The reference's worked examples E1 to E33 (20601 §12) are decoded to their fields and encoded to their bytes.

The corpus has them as commented hex. Where the reference is present, the bytes and the offset of each decoded field are
compared with the reference's text.
"""

import re
from typing import Any

import pytest

from protocols.ieee11073.apdu import Prst, body_of, decode_apdu, decode_data, encode_apdu, encode_data
from protocols.ieee11073.apdu.actions import ActionType, SetTimeInvoke
from protocols.ieee11073.apdu.association import Aarq, PhdAssociationInformation
from protocols.ieee11073.apdu.data import (
    ActionArgument,
    ActionResult,
    EventReportArgument,
    EventReportResult,
)
from protocols.ieee11073.apdu.pm_store import AllSegments, decode_selection, encode_selection
from protocols.ieee11073.mder import decode, encode
from protocols.medfloat import float_of, sfloat_of
from tests.builders.ieee11073_corpus import apdu
from tests.builders.ieee11073_report_info import ScanReportInfoMPFixed
from tests.builders.ieee11073_trees import COUNTED, LEAF, LISTED, Node, tree_of
from tests.harness.shared import shared_path

NAMES = [f"E{number}" for number in range(1, 34)]


def printed(name: str) -> tuple[bytes, set[int]]:
    """Return the bytes of an example in the reference's text, and the offset of each field."""
    text = shared_path("reference/20601.md").read_text(encoding="utf-8")
    part = text.split(f"#### {name}. ", 1)[1].split("#### ", 1)[0]
    octets = bytes.fromhex(part.split("```")[1])
    fields = re.findall(r"^\| (\d+) \| `([0-9A-F]+)` \|", part, flags=re.MULTILINE)
    assert b"".join(bytes.fromhex(field) for _, field in fields) == octets
    return octets, {int(at) for at, _ in fields}


def borders(node: Node, at: int = 0) -> set[int]:
    """Return the offset of each field in a decoded tree, including the fields of lengths and counts."""
    if node.kind == LEAF:
        return {at} if node.octets else set()
    found: set[int] = set()
    if node.kind in (COUNTED, LISTED):
        found, at = {at}, at + 2
    if node.kind == LISTED:
        found, at = found | {at}, at + 2
    for child in node.children:
        found |= borders(child, at)
        at += len(child.octets)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_worked_example_equals_the_bytes_printed_in_the_reference(name: str) -> None:
    octets, begins = printed(name)
    assert apdu(name.lower()) == octets
    assert borders(tree_of(octets)) - begins == set()


@pytest.mark.parametrize("name", NAMES)
def test_worked_example_is_decoded_and_encoded_to_the_same_bytes(name: str) -> None:
    octets = apdu(name.lower())
    found = decode_apdu(octets)
    assert encode_apdu(found) == octets
    if isinstance(found, Prst):
        data = decode_data(found.data)
        assert encode_data(data.invoke_id, data.message, body_of(data)) == octets
    assert tree_of(octets).octets == octets  # with every open content, layer by layer


def body(name: str) -> Any:
    found = decode_apdu(apdu(name))
    assert isinstance(found, Prst)
    return body_of(decode_data(found.data))


def test_example_e1_is_the_association_request_of_configuration_0190() -> None:
    found = decode_apdu(apdu("e1"))
    assert isinstance(found, Aarq)
    information = decode(PhdAssociationInformation, found.data_proto_list[0].data_proto_info)
    assert information.dev_config_id == 0x0190
    assert encode(information) == found.data_proto_list[0].data_proto_info


def test_example_e18_decodes_to_a_set_time_request() -> None:
    argument = body("e18")
    assert isinstance(argument, ActionArgument)
    assert argument.action_type == ActionType.SET_TIME
    assert decode(SetTimeInvoke, argument.action_info_args) == SetTimeInvoke(
        bytes.fromhex("2026030114250000"), accuracy=0
    )


def test_example_e22_decodes_to_a_selection_of_all_segments() -> None:
    argument = body("e22")
    assert isinstance(argument, ActionArgument)
    assert decode_selection(argument.action_info_args) == AllSegments()
    assert encode_selection(AllSegments()) == argument.action_info_args


def test_example_e28_decodes_to_the_weights_of_two_persons() -> None:
    report = body("e28")
    assert isinstance(report, EventReportArgument)
    scan = decode(ScanReportInfoMPFixed, report.event_info)
    assert [
        (person.person_id, float_of(int.from_bytes(person.obs_scan_fixed[0].obs_val_data[:4], "big")))
        for person in scan.scan_per_fixed
    ] == [(1, 76.2), (2, 58.45)]


@pytest.mark.parametrize("name", ["e6", "e11", "e19", "e25", "e27"])
def test_response_example_repeats_the_handle_and_type_and_invoke_id_of_its_request(name: str) -> None:
    asked = {"e6": "e5", "e11": "e10", "e19": "e18", "e25": "e24", "e27": "e26"}[name]
    request, result = body(asked), body(name)
    assert request.obj_handle == result.obj_handle
    if isinstance(result, EventReportResult):
        assert request.event_type == result.event_type
    else:
        assert isinstance(result, ActionResult)
        assert request.action_type == result.action_type
    assert apdu(asked)[6:8] == apdu(name)[6:8]


@pytest.mark.parametrize(
    ("raw", "value"), [(0x0062, 98.0), (0xF299, 66.5), (0x0B2E, -1234.0), (0xF014, 2.0), (0xE0C8, 2.0), (0x0002, 2.0)]
)
def test_sfloat_examples_of_the_reference_are_decoded(raw: int, value: float) -> None:
    assert sfloat_of(raw) == value


@pytest.mark.parametrize(("raw", "value"), [(0xFF00016F, 36.7), (0x00FFFB2E, -1234.0), (0x00FFFFFE, -2.0)])
def test_float_examples_of_the_reference_are_decoded(raw: int, value: float) -> None:
    assert float_of(raw) == value
