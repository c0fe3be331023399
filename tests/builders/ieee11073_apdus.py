"""APDUs of IEEE 11073-20601 as an agent or a manager sends them; parameters that few tests need have defaults."""

from collections.abc import Sequence

from protocols.ieee11073.apdu import MessageTag, encode_apdu, encode_data
from protocols.ieee11073.apdu.association import (
    DATA_PROTO_20601,
    ENCODING_MDER,
    REQUEST_INIT_AGENT,
    SYSTEM_TYPE_AGENT,
    VERSION_1,
    Aarq,
    AbortReason,
    Abrt,
    DataProto,
    PhdAssociationInformation,
    ReleaseRequestReason,
    ReleaseResponseReason,
    Rlre,
    Rlrq,
)
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import (
    DATA_REQUEST_AGENT_INITIATED,
    NO_RELATIVE_TIME,
    ErrorResult,
    ErrorValue,
    EventReportArgument,
    EventReportResult,
    EventType,
    GetResult,
    RejectProblem,
    RejectResult,
)
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import ScanReport
from protocols.ieee11073.mder import encode

AGENT_ID = bytes.fromhex("1122334455667788")
MANAGER_ID = bytes.fromhex("8877665544332211")


def aarq(
    config_id: int,
    *,
    system_id: bytes = AGENT_ID,
    assoc_version: int = VERSION_1,
    protocol_version: int = VERSION_1,
    encoding_rules: int = ENCODING_MDER,
    data_proto_id: int = DATA_PROTO_20601,
    modes: int = REQUEST_INIT_AGENT,
    manager_flows: int = 0,
) -> bytes:
    """Return an association request. `modes` are its data-req-mode-flags; `manager_flows` is the number of data
    requests that the manager may have open (data-req-init-manager-count)."""
    info = PhdAssociationInformation(
        protocol_version=protocol_version,
        encoding_rules=encoding_rules,
        nomenclature_version=VERSION_1,
        functional_units=0,
        system_type=SYSTEM_TYPE_AGENT,
        system_id=system_id,
        dev_config_id=config_id,
        data_req_mode_flags=modes,
        data_req_init_agent_count=1,
        data_req_init_manager_count=manager_flows,
        option_list=(),
    )
    return encode_apdu(Aarq(assoc_version, (DataProto(data_proto_id, encode(info)),)))


def event_report(event_type: int, info: bytes, *, invoke_id: int = 1, confirmed: bool = True, handle: int = 0) -> bytes:
    tag = MessageTag.CONFIRMED_EVENT_REPORT if confirmed else MessageTag.EVENT_REPORT
    return encode_data(invoke_id, tag, EventReportArgument(handle, NO_RELATIVE_TIME, EventType(event_type), info))


def config_report(configuration: Configuration, *, invoke_id: int = 1) -> bytes:
    return event_report(EventType.CONFIG, encode(configuration.report), invoke_id=invoke_id)


def scan_report(
    report: ScanReport,
    *,
    report_no: int = 0,
    invoke_id: int = 1,
    confirmed: bool = True,
    request: int = DATA_REQUEST_AGENT_INITIATED,
) -> bytes:
    info = request.to_bytes(2, "big") + report_no.to_bytes(2, "big") + report.observations
    return event_report(report.event_type, info, invoke_id=invoke_id, confirmed=confirmed, handle=report.handle)


def report_response(
    invoke_id: int, event_type: int = EventType.SCAN_REPORT_FIXED, *, handle: int = 0, info: bytes = b""
) -> bytes:
    return encode_data(
        invoke_id, MessageTag.EVENT_REPORT_RESULT, EventReportResult(handle, 0, EventType(event_type), info)
    )


def get_response(invoke_id: int = 0, attributes: Sequence[AvaType] = ()) -> bytes:
    return encode_data(invoke_id, MessageTag.GET_RESULT, GetResult(0, tuple(attributes)))


def roer(invoke_id: int, error: ErrorValue) -> bytes:
    return encode_data(invoke_id, MessageTag.ERROR, ErrorResult(error, b""))


def rorj(invoke_id: int, problem: RejectProblem) -> bytes:
    return encode_data(invoke_id, MessageTag.REJECT, RejectResult(problem))


def rlrq(reason: ReleaseRequestReason = ReleaseRequestReason.NORMAL) -> bytes:
    return encode_apdu(Rlrq(reason))


def rlre() -> bytes:
    return encode_apdu(Rlre(ReleaseResponseReason.NORMAL))


def abrt(reason: AbortReason = AbortReason.UNDEFINED) -> bytes:
    return encode_apdu(Abrt(reason))
