"""Each sample APDU is decoded complete, byte by byte, truncated at each length and with trailing bytes.

A decoded APDU is encoded to the same bytes.
"""

import pytest

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.framing.apdu_stream import ApduStream
from protocols.ieee11073.apdu import APDUS, Prst, body_of, decode_apdu, decode_data, encode_apdu, encode_data
from protocols.ieee11073.apdu.association import AbortReason, Abrt, PhdAssociationInformation
from protocols.ieee11073.apdu.data import (
    ConfigReportRsp,
    ConfigResult,
    EventReportArgument,
    EventReportResult,
)
from protocols.ieee11073.mder import decode, encode
from tests.builders.ieee11073_corpus import Sample, apdu, apdus, conversations
from tests.builders.ieee11073_report_info import ScanReportInfoFixed
from tests.builders.ieee11073_trees import EVENT_INFOS

EVERY = [*apdus(), *(sample for conversation in conversations().values() for sample in conversation)]
DIFFERENT = list({sample.octets: sample for sample in reversed(EVERY)}.values())
"""The samples of the corpus without duplicates."""


def decoded_deep(octets: bytes) -> object:
    """Decode an APDU and the message inside it; an error in any layer is raised."""
    found = decode_apdu(octets)
    return body_of(decode_data(found.data)) if isinstance(found, Prst) else found


@pytest.mark.parametrize("sample", EVERY, ids=lambda sample: sample.name)
def test_sample_apdu_is_decoded_completely_and_encoded_to_the_same_bytes(sample: Sample) -> None:
    found = decode_apdu(sample.octets)
    assert encode_apdu(found) == sample.octets
    if isinstance(found, Prst):
        data = decode_data(found.data)
        body = body_of(data)
        assert encode_data(data.invoke_id, data.message, body) == sample.octets
        if isinstance(body, EventReportArgument) and body.event_type in EVENT_INFOS:
            info = EVENT_INFOS[body.event_type]
            assert encode(decode(info, body.event_info)) == body.event_info


@pytest.mark.parametrize("sample", DIFFERENT, ids=lambda sample: sample.name)
def test_sample_apdu_received_byte_by_byte_is_returned_unchanged(sample: Sample) -> None:
    stream = ApduStream()
    found = [one for at in range(len(sample.octets)) for one in stream.feed(sample.octets[at : at + 1])]
    assert found == [sample.octets]


@pytest.mark.parametrize("sample", DIFFERENT, ids=lambda sample: sample.name)
def test_truncated_sample_apdu_is_not_decoded(sample: Sample) -> None:
    for length in range(len(sample.octets)):
        assert ApduStream().feed(sample.octets[:length]) == []
        with pytest.raises(RemoteProtocolError):
            decode_apdu(sample.octets[:length])


@pytest.mark.parametrize("sample", DIFFERENT, ids=lambda sample: sample.name)
def test_bytes_after_a_sample_apdu_stay_in_the_stream_and_are_refused_by_the_decoder(sample: Sample) -> None:
    stream = ApduStream()
    assert stream.feed(sample.octets + b"\xe7") == [sample.octets]
    assert stream.pending_bytes == 1
    with pytest.raises(RemoteProtocolError):
        decode_apdu(sample.octets + b"\x00")


@pytest.mark.parametrize("sample", DIFFERENT, ids=lambda sample: sample.name)
def test_inner_length_that_contradicts_the_apdu_length_is_refused(sample: Sample) -> None:
    """The outer length is corrected after the cut, so the inner layers must detect it."""
    content = sample.octets[4:]
    for changed in (content[:-1], content[:-2], content + b"\x00", content + b"\x00\x00"):
        octets = sample.octets[:2] + len(changed).to_bytes(2, "big") + changed
        with pytest.raises(RemoteProtocolError):
            decoded_deep(octets)


def test_association_request_contains_the_system_id_and_configuration_id_of_the_agent() -> None:
    request = decode_apdu(apdu("e1"))
    info = decode(PhdAssociationInformation, request.data_proto_list[0].data_proto_info)  # type: ignore[union-attr]  # E1 is an AARQ
    assert info.system_id.hex() == "1122334455667788"
    assert (info.dev_config_id, info.encoding_rules, info.system_type) == (0x0190, 0x8000, 0x0080_0000)


def test_configuration_response_contains_the_configuration_id_and_the_result() -> None:
    result = decoded_deep(apdu("e7"))
    assert isinstance(result, EventReportResult)
    verdict = decode(ConfigReportRsp, result.event_reply_info)
    assert verdict == ConfigReportRsp(0x02BC, ConfigResult.STANDARD_CONFIG_UNKNOWN)


def test_unknown_abort_reason_is_kept_as_its_number() -> None:
    found = decode_apdu(bytes.fromhex("E600 0002 00C8"))
    assert isinstance(found, Abrt)
    assert (found.reason, found.reason.name) == (200, "UNNAMED_200")
    assert encode_apdu(found) == bytes.fromhex("E600 0002 00C8")
    assert encode_apdu(Abrt(AbortReason.CONFIGURATION_TIMEOUT)) == apdu("e31")


def test_every_apdu_tag_is_decoded_by_its_own_class() -> None:
    assert sorted(APDUS) == [0xE200, 0xE300, 0xE400, 0xE500, 0xE600, 0xE700]
    assert len(set(APDUS.values())) == 6


def test_list_that_announces_more_items_than_its_bytes_contain_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="a list of 65535 items ends after 0"):
        decode(ScanReportInfoFixed, bytes.fromhex("F000 0000 FFFF 0000"))


def test_encoding_a_value_that_does_not_fit_its_field_is_a_local_protocol_error() -> None:
    with pytest.raises(LocalProtocolError):
        encode(ConfigReportRsp(0x1_0000, ConfigResult.ACCEPTED_CONFIG))
    with pytest.raises(LocalProtocolError):
        encode_apdu(Prst(bytes(65_536)))
