"""APDUs as trees of their layers, so that a fuzzer can change one node and every length around the node is right.

Each node holds its encoded bytes. A change of a node rebuilds the nodes above it and leaves the others unchanged. The
type of a layer's content comes from the wire types of `protocols`. The type of an open content (ANY) comes from the
tags and ids next to the content. A structure that is added to `protocols` needs no change here.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Annotated, Any, Final, NamedTuple, get_args, get_origin, get_type_hints

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu import APDUS, BODIES, Prst
from protocols.ieee11073.apdu.actions import ActionType, DataRequest, DataResponse, SetTimeInvoke
from protocols.ieee11073.apdu.association import DATA_PROTO_20601, DataProto, PhdAssociationInformation
from protocols.ieee11073.apdu.attributes import (
    AttrValMapEntry,
    AvaType,
    HandleAttrValMapEntry,
    ProductionSpecEntry,
    SystemModel,
    Type,
    TypeVersion,
)
from protocols.ieee11073.apdu.data import (
    ActionArgument,
    ActionResult,
    ConfigReport,
    ConfigReportRsp,
    EventReportArgument,
    EventReportResult,
    EventType,
)
from protocols.ieee11073.apdu.pm_store import (
    InstanceNumber,
    SegmentDataEvent,
    SegmentDataResult,
    SegmentEntryMap,
    SegmentInfo,
    TriggerResult,
)
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.identity import MdsTimeInfo
from protocols.ieee11073.mder.annotations import CountedBytes, FixedBytes, Listed, Number, OpenIntEnum
from protocols.reader import Reader
from tests.builders.ieee11073_report_info import (
    ScanReportInfoFixed,
    ScanReportInfoGrouped,
    ScanReportInfoMPFixed,
    ScanReportInfoMPGrouped,
    ScanReportInfoMPVar,
    ScanReportInfoVar,
)

LEAF: Final = 0
PLAIN: Final = 1
COUNTED: Final = 2
LISTED: Final = 3


class Node:
    """One layer of an APDU.

    `kind` is what precedes the children: nothing (LEAF, PLAIN), their size (COUNTED), or their number and size
    (LISTED). `name` is the wire type or the field; a fuzzer replaces a node by nodes with the same name.
    """

    __slots__ = ("children", "kind", "name", "octets")

    def __init__(self, kind: int, children: Sequence["Node"], octets: bytes = b"", name: str = "") -> None:
        self.kind = kind
        self.name = name
        self.children = children
        self.octets: bytes
        if kind != LEAF:
            octets = b"".join([child.octets for child in children])
            size = len(octets) & 0xFFFF
            if kind == COUNTED:
                octets = size.to_bytes(2, "big") + octets
            elif kind == LISTED:
                octets = (len(children) & 0xFFFF).to_bytes(2, "big") + size.to_bytes(2, "big") + octets
        self.octets = octets


def leaf(octets: bytes) -> Node:
    return Node(LEAF, (), octets)


Path = tuple[int, ...]


def paths_of(node: Node, at: Path = ()) -> list[Path]:
    """Return the path to every node of a tree; a path is the index of the child at each level."""
    return [at, *(path for n, child in enumerate(node.children) for path in paths_of(child, (*at, n)))]


def at_path(node: Node, path: Path) -> Node:
    for n in path:
        node = node.children[n]
    return node


def replaced(node: Node, path: Path, change: Callable[[Node], Node]) -> Node:
    """Return a copy of the tree with the node at `path` changed; every length around the node is right."""
    if not path:
        return change(node)
    children = list(node.children)
    children[path[0]] = replaced(children[path[0]], path[1:], change)
    return Node(node.kind, children, name=node.name)


class Items(NamedTuple):
    """The content of an open field (ANY), if this content is a bare SEQUENCE OF with items of the type `item`."""

    item: type[Any]


Content = type[Any] | Items

_SCANS: list[tuple[type[Any], tuple[str, ...]]] = [
    (ScanReportInfoFixed, ("SCAN_REPORT_FIXED", "UNBUF_SCAN_REPORT_FIXED", "BUF_SCAN_REPORT_FIXED")),
    (ScanReportInfoVar, ("SCAN_REPORT_VAR", "UNBUF_SCAN_REPORT_VAR", "BUF_SCAN_REPORT_VAR")),
    (ScanReportInfoGrouped, ("UNBUF_SCAN_REPORT_GROUPED", "BUF_SCAN_REPORT_GROUPED")),
    (ScanReportInfoMPFixed, ("SCAN_REPORT_MP_FIXED", "UNBUF_SCAN_REPORT_MP_FIXED", "BUF_SCAN_REPORT_MP_FIXED")),
    (ScanReportInfoMPVar, ("SCAN_REPORT_MP_VAR", "UNBUF_SCAN_REPORT_MP_VAR", "BUF_SCAN_REPORT_MP_VAR")),
    (ScanReportInfoMPGrouped, ("UNBUF_SCAN_REPORT_MP_GROUPED", "BUF_SCAN_REPORT_MP_GROUPED")),
]
EVENT_INFOS: dict[int, type[Any]] = {
    EventType.CONFIG: ConfigReport,
    EventType.SEGMENT_DATA: SegmentDataEvent,
    **{EventType[name]: wire_type for wire_type, names in _SCANS for name in names},
}
_REPLIES: dict[int, Content] = {EventType.CONFIG: ConfigReportRsp, EventType.SEGMENT_DATA: SegmentDataResult}
_ARGUMENTS: dict[int, Content] = {
    ActionType.SET_TIME: SetTimeInvoke,
    ActionType.DATA_REQUEST: DataRequest,
    ActionType.SEG_TRIG_XFER: InstanceNumber,
}
_RESULTS: dict[int, Content] = {
    ActionType.DATA_REQUEST: DataResponse,
    ActionType.SEG_GET_INFO: Items(SegmentInfo),
    ActionType.SEG_TRIG_XFER: TriggerResult,
}
_ATTRIBUTES: dict[int, Content] = {
    Attribute.TYPE: Type,
    Attribute.ATTRIBUTE_VALUE_MAP: Items(AttrValMapEntry),
    Attribute.SCAN_HANDLE_ATTR_VAL_MAP: Items(HandleAttrValMapEntry),
    Attribute.SYSTEM_MODEL: SystemModel,
    Attribute.SYSTEM_TYPE_SPEC_LIST: Items(TypeVersion),
    Attribute.PRODUCTION_SPECIFICATION: Items(ProductionSpecEntry),
    Attribute.MDS_TIME_INFO: MdsTimeInfo,
    Attribute.SEGMENT_MAP: SegmentEntryMap,
}


def _content(wire_type: type[Any], values: dict[str, int]) -> Content | None:
    """Return the type of an open field's content, given the `values` of the fields before it; None for an unknown
    type."""
    match wire_type:
        case type() if wire_type is EventReportArgument:
            return EVENT_INFOS.get(values["event_type"])
        case type() if wire_type is EventReportResult:
            return _REPLIES.get(values["event_type"])
        case type() if wire_type is ActionArgument:
            return _ARGUMENTS.get(values["action_type"])
        case type() if wire_type is ActionResult:
            return _RESULTS.get(values["action_type"])
        case type() if wire_type is AvaType:
            return _ATTRIBUTES.get(values["attribute_id"])
        case type() if wire_type is DataProto and values["data_proto_id"] == DATA_PROTO_20601:
            return PhdAssociationInformation
        case type() if wire_type is DataResponse:
            return EVENT_INFOS.get(values["event_type"])
        case _:
            return None


_HINTS: dict[type[Any], tuple[tuple[str, Any], ...]] = {}


def hints_of(wire_type: type[Any]) -> tuple[tuple[str, Any], ...]:
    """Return (name, annotation) of each field of a wire type, in wire order."""
    if wire_type not in _HINTS:
        hints = get_type_hints(wire_type, include_extras=True)
        _HINTS[wire_type] = tuple((field.name, hints[field.name]) for field in fields(wire_type))
    return _HINTS[wire_type]


def _read(annotation: Any, reader: Reader, wire_type: type[Any], values: dict[str, int]) -> Node:
    if get_origin(annotation) is Annotated:
        inner, form = get_args(annotation)
        match form:
            case Number(width_bytes=size) | FixedBytes(width_bytes=size):
                return leaf(reader.take(size))
            case CountedBytes():
                inside = _opened(reader.take(reader.u16()), _content(wire_type, values))
                return Node(COUNTED, [inside], name=f"{wire_type.__name__} octets")
            case Listed():
                count, items = reader.u16(), reader.inside(reader.u16())
                item = get_args(inner)[0]
                children = [_read(item, items, wire_type, {}) for _ in range(count)]
                node = Node(LISTED, children, name=f"list of {item.__name__}")
                items.finish()
                return node
    if issubclass(annotation, OpenIntEnum):
        return leaf(reader.take(annotation.width_bytes()))
    return _read_type(annotation, reader)


def _read_type(wire_type: type[Any], reader: Reader) -> Node:
    children: list[Node] = []
    values: dict[str, int] = {}
    for name, annotation in hints_of(wire_type):
        children.append(_read(annotation, reader, wire_type, values))
        values[name] = int.from_bytes(children[-1].octets[:2], "big")
    return Node(PLAIN, children, name=wire_type.__name__)


def _opened(octets: bytes, content: Content | None) -> Node:
    """Return an open field's content as a tree; a content that cannot be decoded is one leaf."""
    if content is None:
        return leaf(octets)
    reader = Reader(octets, clause="test")
    try:
        if isinstance(content, Items):
            count, items = reader.u16(), reader.inside(reader.u16())
            children = [_read_type(content.item, items) for _ in range(count)]
            node = Node(LISTED, children, name=f"list of {content.item.__name__}")
            items.finish()
        else:
            node = _read_type(content, reader)
        reader.finish()
    except RemoteProtocolError:
        return leaf(octets)
    return node


def tree_of(apdu: bytes) -> Node:
    """Return the tree of a whole APDU, which must be decodable."""
    reader = Reader(apdu, clause="test")
    tag = reader.u16()
    content = reader.take(reader.u16())
    if APDUS[tag] is not Prst:
        return Node(PLAIN, [leaf(apdu[:2]), Node(COUNTED, [_read_type(APDUS[tag], Reader(content, clause="test"))])])
    message = int.from_bytes(content[4:6], "big")
    body = Node(COUNTED, [_read_type(BODIES[message], Reader(content[8:], clause="test"))])
    data = Node(COUNTED, [leaf(content[2:4]), leaf(content[4:6]), body])
    return Node(PLAIN, [leaf(apdu[:2]), Node(COUNTED, [data])])
