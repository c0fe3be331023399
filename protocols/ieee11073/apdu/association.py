"""The APDUs that begin and end an association: AARQ, AARE, RLRQ, RLRE and ABRT (reference 20601 §3)."""

from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.mder import (
    U8,
    U16,
    AnyDefinedBy,
    Bits16,
    Bits32,
    OctetString,
    OpenIntEnum,
    SequenceOf,
    sequence,
)

DATA_PROTO_NONE = 0
DATA_PROTO_20601 = 0x5079
VERSION_1 = 0x8000_0000
"""Bit 0 of assoc-version, protocol-version and nomenclature-version."""
ENCODING_MDER = 0x8000
SYSTEM_TYPE_AGENT = 0x0080_0000
SYSTEM_TYPE_MANAGER = 0x8000_0000
REQUEST_INIT_AGENT = 0x0001
"""DataReqModeFlags: the agent reports on its own."""
CONFIG_ID_MANAGER = 0
"""dev-config-id in a manager's AARE."""


class AssociateResult(OpenIntEnum):
    """Result in an association response (AARE)."""

    ACCEPTED = 0
    REJECTED_PERMANENT = 1
    REJECTED_TRANSIENT = 2
    ACCEPTED_UNKNOWN_CONFIG = 3
    REJECTED_NO_COMMON_PROTOCOL = 4
    REJECTED_NO_COMMON_PARAMETER = 5
    REJECTED_UNKNOWN = 6
    REJECTED_UNAUTHORIZED = 7
    REJECTED_UNSUPPORTED_ASSOC_VERSION = 8


class ReleaseRequestReason(OpenIntEnum):
    NORMAL = 0
    NO_MORE_CONFIGURATIONS = 1
    CONFIGURATION_CHANGED = 2


class ReleaseResponseReason(OpenIntEnum):
    """The only reason in a release response (RLRE)."""

    NORMAL = 0


class AbortReason(OpenIntEnum):
    UNDEFINED = 0
    BUFFER_OVERFLOW = 1
    RESPONSE_TIMEOUT = 2
    CONFIGURATION_TIMEOUT = 3


@sequence
class DataProto:
    """A data protocol and its parameters: one that the agent offers, or the one that the manager selected."""

    data_proto_id: U16
    data_proto_info: AnyDefinedBy


@sequence
class PhdAssociationInformation:
    """data-proto-info of protocol 20601 in an AARQ or AARE."""

    protocol_version: Bits32
    encoding_rules: Bits16
    nomenclature_version: Bits32
    functional_units: Bits32
    system_type: Bits32
    system_id: OctetString
    dev_config_id: U16
    data_req_mode_flags: Bits16
    data_req_init_agent_count: U8
    data_req_init_manager_count: U8
    option_list: SequenceOf[AvaType]


@sequence
class Aarq:
    """Association request (AARQ), sent by the agent."""

    assoc_version: Bits32
    data_proto_list: SequenceOf[DataProto]


@sequence
class Aare:
    """Association response (AARE), sent by the manager."""

    result: AssociateResult
    selected_data_proto: DataProto


@sequence
class Rlrq:
    """Release request (RLRQ), sent by either side."""

    reason: ReleaseRequestReason


@sequence
class Rlre:
    """Release response (RLRE), sent by either side."""

    reason: ReleaseResponseReason


@sequence
class Abrt:
    """Abort (ABRT), sent by either side; it has no response."""

    reason: AbortReason
