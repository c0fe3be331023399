"""The data APDU inside PRST and the bodies of its messages (reference 20601 §4 and §5)."""

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
"""data-req-id of a report that no data request covers."""


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
    """problem of a RORJ."""

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
    """event-type of an event report, partition 1."""

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
    """EventReportArgumentSimple."""

    obj_handle: Handle
    event_time: RelativeTime
    event_type: EventType
    event_info: AnyDefinedBy


@sequence
class EventReportResult:
    """EventReportResultSimple."""

    obj_handle: Handle
    current_time: RelativeTime
    event_type: EventType
    event_reply_info: AnyDefinedBy


@sequence
class OidEntry:
    """One id of an AttributeIdList."""

    attribute_id: OidType


@sequence
class GetArgument:
    """GetArgumentSimple; an empty list requests all attributes."""

    obj_handle: Handle
    attribute_id_list: SequenceOf[OidEntry]


@sequence
class GetResult:
    """GetResultSimple."""

    obj_handle: Handle
    attribute_list: SequenceOf[AvaType]


@sequence
class AttributeModEntry:
    """One modification of a Set."""

    modify_operator: U16
    attribute: AvaType


@sequence
class SetArgument:
    """SetArgumentSimple."""

    obj_handle: Handle
    modification_list: SequenceOf[AttributeModEntry]


@sequence
class SetResult:
    """SetResultSimple."""

    obj_handle: Handle
    attribute_list: SequenceOf[AvaType]


@sequence
class ActionArgument:
    """ActionArgumentSimple; an ActionResultSimple has the same form."""

    obj_handle: Handle
    action_type: OidType
    action_info_args: AnyDefinedBy


@sequence
class ActionResult:
    """ActionResultSimple."""

    obj_handle: Handle
    action_type: OidType
    action_info_args: AnyDefinedBy


@sequence
class ErrorResult:
    """ROER."""

    error_value: ErrorValue
    parameter: AnyDefinedBy


@sequence
class RejectResult:
    """RORJ."""

    problem: RejectProblem


@sequence
class ConfigObject:
    """One object of a configuration report."""

    obj_class: OidType
    obj_handle: Handle
    attributes: SequenceOf[AvaType]


@sequence
class ConfigReport:
    """event-info of MDC_NOTI_CONFIG."""

    config_report_id: U16
    config_obj_list: SequenceOf[ConfigObject]


@sequence
class ConfigReportRsp:
    """The manager's result for a configuration, event-reply-info of MDC_NOTI_CONFIG."""

    config_report_id: U16
    config_result: ConfigResult


@sequence
class ObservationScanFixed:
    """One object's values in the order of its Attribute-Value-Map."""

    obj_handle: Handle
    obs_val_data: OctetString


@sequence
class ObservationScan:
    """One object's values with their attribute ids."""

    obj_handle: Handle
    attributes: SequenceOf[AvaType]


@sequence
class GroupedObservation:
    """Values of all objects of a scanner's Scan-Handle-Attr-Val-Map, without handles."""

    values: OctetString


@sequence
class PersonScanFixed:
    """One person's values in fixed form. `person_id` 0xFFFF: the device does not know the person."""

    person_id: U16
    obs_scan_fixed: SequenceOf[ObservationScanFixed]


@sequence
class PersonScan:
    """One person's values with their attribute ids."""

    person_id: U16
    obs_scan_var: SequenceOf[ObservationScan]


@sequence
class PersonScanGrouped:
    """One person's values of all objects of a scanner's map."""

    person_id: U16
    obs_scan_grouped: OctetString
