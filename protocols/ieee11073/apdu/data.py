"""The bodies of the messages in data APDUs, which are sent inside PRST APDUs (reference 20601 §4 and §5)."""

from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.mder import (
    U16,
    AnyDefinedBy,
    Handle,
    OctetString,
    OidType,
    OpenIntEnum,
    RelativeTime,
    SequenceOf,
    sequence,
)

NO_RELATIVE_TIME = 0xFFFF_FFFF
"""event-time of an agent without a relative clock."""
DATA_REQUEST_AGENT_INITIATED = 0xF000
"""data-req-id of a report that the agent sends on its own."""


class ErrorValue(OpenIntEnum):
    """error-value of a ROER."""

    NO_SUCH_OBJECT_INSTANCE = 1
    NO_SUCH_ACTION = 9
    INVALID_OBJECT_INSTANCE = 17
    PROTOCOL_VIOLATION = 23
    NOT_ALLOWED_BY_OBJECT = 24
    ACTION_TIMED_OUT = 25
    ACTION_ABORTED = 26


class RejectProblem(OpenIntEnum):
    """Reason of a reject message (RORJ)."""

    UNRECOGNIZED_APDU = 0
    BADLY_STRUCTURED_APDU = 2
    UNRECOGNIZED_OPERATION = 101
    RESOURCE_LIMITATION = 103
    UNEXPECTED_ERROR = 303


class ConfigResult(OpenIntEnum):
    """The manager's result for a configuration report."""

    ACCEPTED_CONFIG = 0
    UNSUPPORTED_CONFIG = 1
    STANDARD_CONFIG_UNKNOWN = 2


class EventType(OpenIntEnum):
    """event-type: code of an event report in nomenclature partition 1."""

    CONFIG = 3356
    SCAN_REPORT_FIXED = 3357
    SCAN_REPORT_VAR = 3358
    SCAN_REPORT_MP_FIXED = 3359
    SCAN_REPORT_MP_VAR = 3360
    SEGMENT_DATA = 3361
    UNBUF_SCAN_REPORT_VAR = 3362
    UNBUF_SCAN_REPORT_FIXED = 3363
    UNBUF_SCAN_REPORT_GROUPED = 3364
    UNBUF_SCAN_REPORT_MP_VAR = 3365
    UNBUF_SCAN_REPORT_MP_FIXED = 3366
    UNBUF_SCAN_REPORT_MP_GROUPED = 3367
    BUF_SCAN_REPORT_VAR = 3368
    BUF_SCAN_REPORT_FIXED = 3369
    BUF_SCAN_REPORT_GROUPED = 3370
    BUF_SCAN_REPORT_MP_VAR = 3371
    BUF_SCAN_REPORT_MP_FIXED = 3372
    BUF_SCAN_REPORT_MP_GROUPED = 3373


@sequence
class EventReportArgument:
    """Body of an event report (EventReportArgumentSimple)."""

    obj_handle: Handle
    event_time: RelativeTime
    event_type: EventType
    event_info: AnyDefinedBy


@sequence
class EventReportResult:
    """Body of the response to a confirmed event report (EventReportResultSimple)."""

    obj_handle: Handle
    current_time: RelativeTime
    event_type: EventType
    event_reply_info: AnyDefinedBy


@sequence
class OidEntry:
    """One attribute id in an AttributeIdList."""

    attribute_id: OidType


@sequence
class GetArgument:
    """Body of a Get request (GetArgumentSimple). An empty list of attribute ids requests all attributes."""

    obj_handle: Handle
    attribute_id_list: SequenceOf[OidEntry]


@sequence
class GetResult:
    """Body of the response to a Get (GetResultSimple): an object's attributes."""

    obj_handle: Handle
    attribute_list: SequenceOf[AvaType]


@sequence
class AttributeModEntry:
    """One modification of an attribute in a Set request."""

    modify_operator: U16
    attribute: AvaType


@sequence
class SetArgument:
    """Body of a Set request (SetArgumentSimple)."""

    obj_handle: Handle
    modification_list: SequenceOf[AttributeModEntry]


@sequence
class SetResult:
    """Body of the response to a confirmed Set (SetResultSimple)."""

    obj_handle: Handle
    attribute_list: SequenceOf[AvaType]


@sequence
class ActionArgument:
    """Body of an Action request (ActionArgumentSimple). An ActionResultSimple has the same layout."""

    obj_handle: Handle
    action_type: OidType
    action_info_args: AnyDefinedBy


@sequence
class ActionResult:
    """Body of the response to a confirmed Action (ActionResultSimple)."""

    obj_handle: Handle
    action_type: OidType
    action_info_args: AnyDefinedBy


@sequence
class ErrorResult:
    """Body of an error response (ROER)."""

    error_value: ErrorValue
    parameter: AnyDefinedBy


@sequence
class RejectResult:
    """Body of a reject message (RORJ)."""

    problem: RejectProblem


@sequence
class ConfigObject:
    """One object in a configuration report."""

    obj_class: OidType
    obj_handle: Handle
    attributes: SequenceOf[AvaType]


@sequence
class ConfigReport:
    """A configuration report: the objects of one configuration (event-info of MDC_NOTI_CONFIG)."""

    config_report_id: U16
    config_obj_list: SequenceOf[ConfigObject]


@sequence
class ConfigReportRsp:
    """The manager's response to a configuration report (event-reply-info of MDC_NOTI_CONFIG)."""

    config_report_id: U16
    config_result: ConfigResult


@sequence
class ObservationScanFixed:
    """Values of one object in a fixed-format report, in the order of its Attribute-Value-Map."""

    obj_handle: Handle
    obs_val_data: OctetString


@sequence
class ObservationScan:
    """Values of one object in a variable-format report, each with its attribute id."""

    obj_handle: Handle
    attributes: SequenceOf[AvaType]


@sequence
class GroupedObservation:
    """Values of a grouped report: all objects of a scanner's Scan-Handle-Attr-Val-Map in order, without handles."""

    values: OctetString


@sequence
class PersonScanFixed:
    """Values of one person in fixed format. `person_id` is 0xFFFF where the device did not identify the person."""

    person_id: U16
    obs_scan_fixed: SequenceOf[ObservationScanFixed]


@sequence
class PersonScan:
    """Values of one person in a variable-format report, each with its attribute id."""

    person_id: U16
    obs_scan_var: SequenceOf[ObservationScan]


@sequence
class PersonScanGrouped:
    """Values of one person in a grouped report: all objects of the scanner's map in order, without handles."""

    person_id: U16
    obs_scan_grouped: OctetString
