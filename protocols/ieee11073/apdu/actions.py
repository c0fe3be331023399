"""Action codes, and the actions of the MDS object: set the clock, and request data (reference 20601 §6)."""

from protocols.ieee11073.apdu.data import EventType
from protocols.ieee11073.mder import (
    U16,
    U32,
    AnyDefinedBy,
    Bits16,
    Bytes8,
    Handle,
    OidType,
    OpenIntEnum,
    RelativeTime,
    SequenceOf,
    sequence,
)


class ActionType(OpenIntEnum):
    """action-type: code of an action in nomenclature partition 1."""

    SEG_CLR = 3084
    SEG_GET_INFO = 3085
    SET_TIME = 3095
    DATA_REQUEST = 3099
    SEG_TRIG_XFER = 3100
    SET_BASE_OFFSET_TIME = 3101
    SEG_GET_ID_LIST = 3102


@sequence
class SetTimeInvoke:
    """Argument of Set-Time: `date_time` is the device's new local AbsoluteTime, `accuracy` a FLOAT that must be 0."""

    date_time: Bytes8
    accuracy: U32


@sequence
class SetBaseOffsetTimeInvoke:
    """Argument of Set-Base-Offset-Time. The public sources confirm only the field `base_offset_time`; the standard may
    define further fields (reference 20601 §14)."""

    base_offset_time: Bytes8


PERSON_ANY = 0xFFFF
"""data-req-person-id: all persons, or no particular one."""

MODE_START = 0x8000
"""Bits of data-req-mode. This one is set to start a request, and clear to stop it."""
MODE_CONTINUATION = 0x4000
MODE_SCOPE_ALL = 0x0800
MODE_SCOPE_CLASS = 0x0400
MODE_SCOPE_HANDLE = 0x0200
MODE_SINGLE_RESPONSE = 0x0080
MODE_TIME_PERIOD = 0x0040
MODE_TIME_NO_LIMIT = 0x0020
MODE_PERSON_ID = 0x0008

SUPPORTS_STOP = 0x8000
"""Bits of data-req-mode-flags in an AARQ: the kinds of data request that the agent supports."""
SUPPORTS_SCOPE_ALL = 0x0800
SUPPORTS_SCOPE_CLASS = 0x0400
SUPPORTS_SCOPE_HANDLE = 0x0200
SUPPORTS_SINGLE_RESPONSE = 0x0080
SUPPORTS_TIME_PERIOD = 0x0040
SUPPORTS_TIME_NO_LIMIT = 0x0020
SUPPORTS_PERSON_ID = 0x0010


@sequence
class HandleEntry:
    """One object handle in a HANDLEList."""

    obj_handle: Handle


@sequence
class DataRequest:
    """A manager's data request. `data_req_time` is its duration in units of 125 µs."""

    data_req_id: U16
    data_req_mode: Bits16
    data_req_time: RelativeTime
    data_req_person_id: U16
    data_req_class: OidType
    data_req_obj_handle_list: SequenceOf[HandleEntry]


class DataRequestResult(OpenIntEnum):
    """data-req-result: the agent's acceptance of a data request, or its reason to refuse it."""

    NO_ERROR = 0
    UNSPECIFIC_ERROR = 1
    NO_STOP_SUPPORT = 2
    NO_SCOPE_ALL_SUPPORT = 3
    NO_SCOPE_CLASS_SUPPORT = 4
    NO_SCOPE_HANDLE_SUPPORT = 5
    NO_SINGLE_RESPONSE_SUPPORT = 6
    NO_TIME_PERIOD_SUPPORT = 7
    NO_TIME_NO_LIMIT_SUPPORT = 8
    NO_PERSON_ID_SUPPORT = 9
    UNKNOWN_PERSON_ID = 11
    UNKNOWN_CLASS = 12
    UNKNOWN_HANDLE = 13
    UNSUPPORTED_SCOPE_COMBINATION = 14
    UNSUPPORTED_MODE_COMBINATION = 15
    TOO_MANY_MANAGER_FLOWS = 16
    CONTINUATION_NOT_SUPPORTED = 17
    INVALID_REQUEST_ID = 18


@sequence
class DataResponse:
    """Response to a data request. If the request is accepted and has a single response, `event_info` contains the scan
    report. In any other response `event_type` is 0 and `event_info` is empty."""

    rel_time_stamp: RelativeTime
    data_req_result: DataRequestResult
    event_type: EventType
    event_info: AnyDefinedBy
