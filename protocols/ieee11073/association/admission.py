"""Accept or reject an association request, and encode the association information of manager and agent.

The checks follow the order of reference 20601 §9.1: association version, data protocol, protocol version and encoding.
The configuration is not checked here: an unknown configuration is no reason to reject, since the manager requests it.
"""

from dataclasses import dataclass

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu import encode_apdu
from protocols.ieee11073.apdu.association import (
    CONFIG_ID_MANAGER,
    DATA_PROTO_20601,
    DATA_PROTO_NONE,
    ENCODING_MDER,
    REQUEST_INIT_AGENT,
    SYSTEM_TYPE_AGENT,
    SYSTEM_TYPE_MANAGER,
    VERSION_1,
    Aare,
    Aarq,
    AssociateResult,
    DataProto,
    PhdAssociationInformation,
)
from protocols.ieee11073.dim.configuration import CONFIG_ID_EXTENDED_MAX
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.mder import decode, encode
from protocols.ieee11073.tolerances import Oddity

SYSTEM_ID_BYTES = 8
"""An EUI-64."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """The agent that requests an association; at most `manager_flows` data requests may be active at once."""

    system_id: bytes
    config_id: int
    data_req_mode_flags: int = REQUEST_INIT_AGENT
    manager_flows: int = 0


def judge(aarq: Aarq, notes: Notes) -> Applicant | AssociateResult:
    """Return the requesting agent, or the result with which its request is rejected."""
    if not aarq.assoc_version & VERSION_1:
        return AssociateResult.REJECTED_UNSUPPORTED_ASSOC_VERSION
    offers = [offer for offer in aarq.data_proto_list if offer.data_proto_id == DATA_PROTO_20601]
    if not offers:
        return AssociateResult.REJECTED_NO_COMMON_PROTOCOL
    try:
        info = decode(PhdAssociationInformation, offers[0].data_proto_info)
    except RemoteProtocolError as error:
        notes.add(Oddity.AARQ_UNREADABLE, offers[0].data_proto_info, clause=error.clause, reason=error.reason)
        return AssociateResult.REJECTED_PERMANENT
    if not info.protocol_version & VERSION_1 or not info.encoding_rules & ENCODING_MDER:
        return AssociateResult.REJECTED_NO_COMMON_PARAMETER
    if len(info.system_id) != SYSTEM_ID_BYTES:
        notes.add(Oddity.SYSTEM_ID_LENGTH, info.system_id, bytes_found=len(info.system_id))
        return AssociateResult.REJECTED_PERMANENT
    return Applicant(info.system_id, info.dev_config_id, info.data_req_mode_flags, info.data_req_init_manager_count)


@dataclass(frozen=True, slots=True)
class RequestModes:
    """data-req-mode-flags, and the numbers of concurrent series of reports that agent and manager may start."""

    flags: int = REQUEST_INIT_AGENT
    agent_flows: int = 1
    manager_flows: int = 0


def request(system_id: bytes, config_id: int, modes: RequestModes | None = None) -> bytes:
    """Encode the association request (AARQ) of an agent."""
    modes = modes or RequestModes()
    info = PhdAssociationInformation(
        protocol_version=VERSION_1,
        encoding_rules=ENCODING_MDER,
        nomenclature_version=VERSION_1,
        functional_units=0,
        system_type=SYSTEM_TYPE_AGENT,
        system_id=system_id,
        dev_config_id=config_id,
        data_req_mode_flags=modes.flags,
        data_req_init_agent_count=modes.agent_flows,
        data_req_init_manager_count=modes.manager_flows,
        option_list=(),
    )
    return encode_apdu(Aarq(VERSION_1, (DataProto(DATA_PROTO_20601, encode(info)),)))


def compare_ids(applicant: Applicant, reported_id: int, configuration: bytes, notes: Notes) -> None:
    """Note a deviation where the id in a configuration report (`reported_id`) differs from the id in the AARQ.
    `configuration` is the encoded report."""
    requested_id = applicant.config_id
    if reported_id != requested_id and 0 < requested_id <= CONFIG_ID_EXTENDED_MAX:
        notes.add(Oddity.CONFIG_ID_OTHER, configuration, reported_id=reported_id, requested_id=requested_id)


def response(system_id: bytes, result: AssociateResult) -> bytes:
    """Encode an association response (AARE). A rejection selects no data protocol. Only the rejection
    NO_COMMON_PARAMETER selects protocol 20601, with protocol version 0."""
    accepted = result in (AssociateResult.ACCEPTED, AssociateResult.ACCEPTED_UNKNOWN_CONFIG)
    if not accepted and result is not AssociateResult.REJECTED_NO_COMMON_PARAMETER:
        return encode_apdu(Aare(result, DataProto(DATA_PROTO_NONE, b"")))
    info = PhdAssociationInformation(
        protocol_version=VERSION_1 if accepted else 0,
        encoding_rules=ENCODING_MDER,
        nomenclature_version=VERSION_1,
        functional_units=0,
        system_type=SYSTEM_TYPE_MANAGER,
        system_id=system_id,
        dev_config_id=CONFIG_ID_MANAGER,
        data_req_mode_flags=0,
        data_req_init_agent_count=0,
        data_req_init_manager_count=0,
        option_list=(),
    )
    return encode_apdu(Aare(result, DataProto(DATA_PROTO_20601, encode(info))))


def manager_id(aare: Aare, notes: Notes) -> bytes:
    """Return the manager's system id from an accepting AARE, or `b""` where its protocol information is malformed."""
    try:
        return decode(PhdAssociationInformation, aare.selected_data_proto.data_proto_info).system_id
    except RemoteProtocolError as error:
        notes.add(
            Oddity.AARE_UNREADABLE, aare.selected_data_proto.data_proto_info, clause=error.clause, reason=error.reason
        )
        return b""
