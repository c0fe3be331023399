"""The table of tolerated deviations agrees with the behaviour of an association.

Each deviation is caused once. It must be reported with the sentence and the clause in its row, and have the effect that
its row states. Deviations of PM-stores, scanners and clocks are caused in other test files; this file checks that every
row of the table is tested.
"""

import re
import string
from collections.abc import Callable
from pathlib import Path

import pytest

import protocols.ieee11073
from protocols.deviation import Deviation
from protocols.framing.apdu_stream import ApduStream
from protocols.ieee11073.apdu import MessageTag, encode_apdu, encode_data
from protocols.ieee11073.apdu.actions import SUPPORTS_SCOPE_ALL, SUPPORTS_TIME_NO_LIMIT, ActionType
from protocols.ieee11073.apdu.association import (
    DATA_PROTO_20601,
    ENCODING_MDER,
    SYSTEM_TYPE_AGENT,
    VERSION_1,
    Aare,
    Aarq,
    AssociateResult,
    DataProto,
    PhdAssociationInformation,
)
from protocols.ieee11073.apdu.attributes import AttrValMapEntry, AvaType, HandleAttrValMapEntry
from protocols.ieee11073.apdu.data import ActionResult, ConfigObject, ErrorValue, EventType, SetResult
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.clock_setting import WallClock
from protocols.ieee11073.association.events import Aborted, Event
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.dim.attribute import Attribute, ObjectClass
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import numeric
from protocols.ieee11073.dim.reports import Reading, ScanReport, fixed_report
from protocols.ieee11073.mder import encode, encode_list
from protocols.ieee11073.tolerances import BY_KEY, Oddity, Outcome
from tests.builders.ieee11073_apdus import (
    AGENT_ID,
    aarq,
    config_report,
    event_report,
    get_response,
    report_response,
    rlrq,
    roer,
    scan_report,
)
from tests.builders.ieee11073_devices import (
    OXIMETER,
    PERCENT,
    SPO2,
    ecg_configuration,
    manager,
    minute,
    operating_manager,
)

ROOT = Path(protocols.ieee11073.__file__).parent
TESTS = Path(__file__).parents[2]

Story = Callable[[], list[Event]]
FIXED, VARIABLE = EventType.SCAN_REPORT_FIXED, EventType.SCAN_REPORT_VAR


def asked(request: bytes) -> list[Event]:
    return manager().receive(request, 0.0)


def operating(*octets: bytes, configuration: Configuration = OXIMETER) -> list[Event]:
    association = operating_manager(configuration)
    return [event for each in octets for event in association.receive(each, 1.0)]


def reported(event_type: int, items: str, configuration: Configuration = OXIMETER, *, handle: int = 0) -> list[Event]:
    report = ScanReport(EventType(event_type), bytes.fromhex(items), handle)
    return operating(scan_report(report), configuration=configuration)


def numbered(*numbers: int) -> list[Event]:
    reports = [fixed_report(OXIMETER, (Reading(1, 97.0, minute(0)),)) for _ in numbers]
    return operating(
        *(
            scan_report(each, report_no=no, invoke_id=at)
            for at, (no, each) in enumerate(zip(numbers, reports, strict=True))
        )
    )


def learned(*attributes: tuple[Attribute, str], of: ObjectClass = ObjectClass.NUMERIC) -> list[Event]:
    """Let the manager learn a configuration of one object with these attributes; return the events."""
    avas = tuple(AvaType(attribute, bytes.fromhex(value)) for attribute, value in attributes)
    configuration = Configuration(0x4001, (ConfigObject(of, 1, avas),))
    association = manager()
    return association.receive(aarq(0x4001), 0.0) + association.receive(config_report(configuration), 0.0)


def waveform(*attributes: tuple[Attribute, str]) -> list[Event]:
    return learned((Attribute.TYPE, "0002 0101"), *attributes, of=ObjectClass.RT_SA)


def waiting(*octets: bytes) -> list[Event]:
    association = manager()
    return [event for each in (aarq(0x4001), *octets) for event in association.receive(each, 0.0)]


def identified(answer: bytes) -> list[Event]:
    association = manager(known=OXIMETER)
    association.receive(aarq(OXIMETER.config_id), 0.0)
    return association.receive(answer, 0.0)


def doubted() -> list[Event]:
    association = manager(known=OXIMETER)
    association.receive(aarq(OXIMETER.config_id), 0.0)
    return association.receive(scan_report(ScanReport(FIXED, bytes.fromhex("0001 0006 0001 0002 0062"))), 0.0)


def reused() -> list[Event]:
    report = fixed_report(OXIMETER, (Reading(1, 97.0, minute(0)),))
    first, *others = [scan_report(report, report_no=no, invoke_id=5) for no in range(3)]
    return operating(first, b"".join(others))


def agent_with_configuration() -> AgentAssociation:
    agent = AgentAssociation(system_id=AGENT_ID, configurations=[OXIMETER])
    agent.associate(0.0)
    return agent


def aare_to_agent(info: bytes) -> list[Event]:
    answer = Aare(AssociateResult.ACCEPTED, DataProto(DATA_PROTO_20601, info))
    return agent_with_configuration().receive(encode_apdu(answer), 0.0)


def verdict_to_agent() -> list[Event]:
    agent = agent_with_configuration()
    asks = manager()
    asks.receive(agent.to_send(), 0.0)
    agent.receive(asks.to_send(), 0.0)
    return agent.receive(report_response(0, EventType.CONFIG, info=b"\x40"), 0.0)


def scanning(handle_of_map: int) -> Configuration:
    mapped = encode_list((HandleAttrValMapEntry(handle_of_map, (AttrValMapEntry(Attribute.NU_BASIC, 2),)),))
    scanner = ConfigObject(ObjectClass.PERIODIC_SCANNER, 3, (AvaType(Attribute.SCAN_HANDLE_ATTR_VAL_MAP, mapped),))
    return Configuration(0x4011, (*OXIMETER.objects, scanner))


def many() -> list[Event]:
    association = operating_manager(OXIMETER)
    told: list[Event] = []
    for handle in range(100, 200):
        told += association.receive(scan_report(ScanReport(FIXED, bytes(4), handle)), 1.0)
    return told


def late() -> list[Event]:
    """Let the request to enable a scanner time out, and then let the device respond; return the
    events of the response."""
    association = operating_manager(ecg_configuration())
    association.scanners.begin()
    deadline_s = association.deadline_s
    assert deadline_s is not None
    association.expire(deadline_s)
    return association.receive(roer(1, ErrorValue.NO_SUCH_ACTION), deadline_s + 1.0)


def overdue_scanner() -> list[Event]:
    association = operating_manager(ecg_configuration())
    association.scanners.begin()
    assert association.deadline_s is not None
    return association.expire(association.deadline_s)


def silent_scanner() -> list[Event]:
    association = operating_manager(ecg_configuration())
    association.scanners.begin()
    sent = association.to_send()
    enabled = (AvaType(Attribute.OPERATIONAL_STATE, b"\x00\x01"),)
    answer = encode_data(int.from_bytes(sent[6:8], "big"), MessageTag.SET_RESULT, SetResult(3, enabled))
    told = association.receive(answer, 1.0)
    for _ in range(4):
        assert association.deadline_s is not None
        told += association.expire(association.deadline_s)
    return told


def with_clock() -> ManagerAssociation:
    """Return a manager that has read the attributes of a device whose clock may be set; no request is in flight."""
    association = manager(known=OXIMETER)
    association.receive(aarq(OXIMETER.config_id), 0.0)
    clock = (
        AvaType(Attribute.MDS_TIME_INFO, bytes.fromhex("C010 1F00 FFFFFFFF 0064 0000 00000000")),
        AvaType(Attribute.DATE_AND_TIME, bytes.fromhex("2026030112000000")),
    )
    association.receive(get_response(0, clock), 0.0)
    association.to_send()
    return association


def refused_by_device(association: ManagerAssociation, error: ErrorValue) -> list[Event]:
    """Respond to the manager's last request with an error (ROER); return the events."""
    return association.receive(roer(int.from_bytes(association.to_send()[6:8], "big"), error), 2.0)


def clock_not_set() -> list[Event]:
    association = with_clock()
    association.clock_setting.set_time(WallClock(1_700_000_000_000_000), 1.0)
    return refused_by_device(association, ErrorValue.NO_SUCH_ACTION)


def clocks_withheld() -> list[Event]:
    association = with_clock()
    association.clock_setting.read_clocks(1.0)
    return refused_by_device(association, ErrorValue.NO_SUCH_OBJECT_INSTANCE)


def requested(answer: bytes | None) -> list[Event]:
    """Associate a device that reports on request; return the events up to its response to the data request.

    `answer` is the encoded DataResponse; with None the device responds with an error (ROER).
    """
    association = manager(known=OXIMETER)
    told = association.receive(aarq_on_request(OXIMETER.config_id), 0.0)
    identified = association.receive(get_response(0), 0.0)
    for event in identified:
        association.delivered(event)
    told += identified
    sent = association.to_send()
    apdus = ApduStream().feed(sent)
    invoke_id = int.from_bytes(apdus[-1][6:8], "big")
    if answer is None:
        return told + association.receive(roer(invoke_id, ErrorValue.NO_SUCH_ACTION), 1.0)
    result = ActionResult(0, ActionType.DATA_REQUEST, answer)
    return told + association.receive(encode_data(invoke_id, MessageTag.ACTION_RESULT, result), 1.0)


def aarq_on_request(config_id: int) -> bytes:
    info = PhdAssociationInformation(
        protocol_version=VERSION_1,
        encoding_rules=ENCODING_MDER,
        nomenclature_version=VERSION_1,
        functional_units=0,
        system_type=SYSTEM_TYPE_AGENT,
        system_id=AGENT_ID,
        dev_config_id=config_id,
        data_req_mode_flags=SUPPORTS_SCOPE_ALL | SUPPORTS_TIME_NO_LIMIT,
        data_req_init_agent_count=0,
        data_req_init_manager_count=1,
        option_list=(),
    )
    return encode_apdu(Aarq(VERSION_1, (DataProto(DATA_PROTO_20601, encode(info)),)))


PLAIN = Configuration(0x4010, (numeric(1, SPO2, PERCENT),))
TYPE = (Attribute.TYPE, "0002 4BB8")
PERIOD = (Attribute.SAMPLE_PERIOD, "00000020")
LIST = EventType.BUF_SCAN_REPORT_GROUPED

STORIES: dict[Oddity, Story] = {
    Oddity.AARQ_UNREADABLE: lambda: asked(encode_apdu(Aarq(VERSION_1, (DataProto(DATA_PROTO_20601, b"\x80"),)))),
    Oddity.SYSTEM_ID_LENGTH: lambda: asked(aarq(0x4001, system_id=b"\x01\x02")),
    Oddity.CONFIG_ID_RANGE: lambda: asked(aarq(0)),
    Oddity.AARE_UNREADABLE: lambda: aare_to_agent(b"\x80"),
    Oddity.OUTSIDE_ASSOCIATION: lambda: asked(rlrq()),
    Oddity.STREAM_LOST: lambda: operating(b"GET / HTTP/1.1"),
    Oddity.APDU_UNREADABLE: lambda: asked(bytes.fromhex("E200 0002 8000")),
    Oddity.MESSAGE_UNREADABLE: lambda: operating(bytes.fromhex("E700 0008 0006 0007 0101 0004")),
    Oddity.ANSWER_LATE: late,
    Oddity.INVOKE_ID_REUSED: reused,
    Oddity.CONFIG_UNREADABLE: lambda: waiting(event_report(EventType.CONFIG, b"\x40\x01\x00\x05")),
    Oddity.CONFIG_REFUSED: lambda: waiting(config_report(Configuration(0x4001, ()))),
    Oddity.CONFIG_ID_OTHER: lambda: waiting(config_report(PLAIN)),
    Oddity.CONFIG_CHANGED: doubted,
    Oddity.CONFIG_OFFERED_IN_VAIN: lambda: waiting(*[config_report(Configuration(0x4001, ()))] * 8),
    Oddity.TYPE_MISSING: learned,
    Oddity.ATTRIBUTE_LENGTH: lambda: learned(TYPE, (Attribute.UNIT_CODE, "02")),
    Oddity.ATTRIBUTE_UNREADABLE: lambda: learned(TYPE, (Attribute.SUPPLEMENTAL_TYPES, "0001 0004 0002")),
    Oddity.SAMPLE_PERIOD_MISSING: waveform,
    Oddity.SAMPLE_WIDTH: lambda: waveform(PERIOD, (Attribute.SA_SPECIFICATION, "0008 0C0C 0000")),
    Oddity.SCALE_UNUSABLE: lambda: waveform(PERIOD, (Attribute.SCALE_AND_RANGE_I16, "00000000 00000064 0000 0000")),
    Oddity.SCALE_UNREADABLE: lambda: waveform(PERIOD, (Attribute.SCALE_AND_RANGE_I16, "00000000 00000064 0000")),
    Oddity.MDS_WITHHELD: lambda: identified(roer(0, ErrorValue.NO_SUCH_OBJECT_INSTANCE)),
    Oddity.MDS_ATTRIBUTE_UNREADABLE: lambda: identified(get_response(0, [AvaType(Attribute.SYSTEM_MODEL, b"\x00")])),
    Oddity.CLOCK_UNREADABLE: lambda: identified(get_response(0, [AvaType(Attribute.DATE_AND_TIME, bytes(8))])),
    Oddity.REPORT_OF_NO_OBJECT: lambda: reported(FIXED, "0000 0000", handle=9),
    Oddity.REPORT_TYPE: lambda: operating(event_report(0x0D55, bytes(8))),
    Oddity.REPORT_UNREADABLE: lambda: reported(FIXED, "0001 0006 0001 0003 0062"),
    Oddity.REPORT_TIME_UNDECLARED: lambda: reported(FIXED, "0001 000E 0001 000A 0062 2026030112000000", PLAIN),
    Oddity.REPORT_LONGER: lambda: reported(FIXED, "0001 0008 0001 0004 0062 BEEF", PLAIN),
    Oddity.REPORT_SHORTER: lambda: reported(FIXED, "0001 0006 0001 0002 0062"),
    Oddity.REPORT_SCANS_UNKNOWN: lambda: reported(LIST, "0001 0004 0002 0062", scanning(7), handle=3),
    Oddity.GROUP_LONGER: lambda: reported(LIST, "0001 0006 0004 0062 BEEF", scanning(1), handle=3),
    Oddity.REPORT_TRAILING: lambda: reported(FIXED, "0001 0006 0001 0002 0062 0000", PLAIN),
    Oddity.REPORT_WITHOUT_VALUE: lambda: reported(VARIABLE, "0001 0006 0001 0000 0000"),
    Oddity.HANDLE_UNKNOWN: lambda: reported(FIXED, "0002 0014 0007 0002 0062 0001 000A 0061 2026030112000000"),
    Oddity.VALUE_ABSENT: lambda: reported(VARIABLE, "0001 000E 0001 0001 0008 0A75 0004 0000 0000"),
    Oddity.TIME_UNREADABLE: lambda: reported(FIXED, "0001 000E 0001 000A 0062 20260301 0A000000"),
    Oddity.TIME_STAMP_SECOND: lambda: reported(
        VARIABLE, "0001 0020 0001 0003 001A 0A4C 0002 0062 0990 0008 2026030112000000 0991 0004 00000001"
    ),
    Oddity.SAMPLES_COUNT: lambda: reported(
        VARIABLE, "0001 0010 0001 0001 000A 0A48 0006 0004 0001 0002", ecg_configuration()
    ),
    Oddity.COMPOUND_LENGTH: lambda: reported(VARIABLE, "0001 0012 0001 0001 000C 0A75 0008 0002 0004 0062 0063"),
    Oddity.SAMPLES_OF_NO_WAVEFORM: lambda: reported(VARIABLE, "0001 000E 0001 0001 0008 0A48 0004 0002 0001"),
    Oddity.SAMPLES_CUT: lambda: reported(
        VARIABLE, "0001 000F 0001 0001 0009 0A48 0005 0003 000102", ecg_configuration()
    ),
    Oddity.REPORT_NUMBER_REPEATED: lambda: numbered(0, 0),
    Oddity.REPORT_NUMBER_START: lambda: numbered(0xFFF0),
    Oddity.REPORT_NUMBER_BACKWARD: lambda: numbered(0, 1, 0xFFFF),
    Oddity.ATTRIBUTES_WITHHELD: clocks_withheld,
    Oddity.CLOCK_NOT_SET: clock_not_set,
    Oddity.SCANNER_NOT_SWITCHED: overdue_scanner,
    Oddity.SCANNER_SILENT: silent_scanner,
    Oddity.DATA_REQUEST_REFUSED: lambda: requested(None),
    Oddity.DATA_RESPONSE_UNREADABLE: lambda: requested(b"\x00"),
    Oddity.CONFIG_VERDICT_UNREADABLE: verdict_to_agent,
    Oddity.MANY_MORE: many,
}


def deviations(events: list[Event], oddity: Oddity) -> list[Deviation]:
    return [event for event in events if isinstance(event, Deviation) and event.key == oddity.key]


@pytest.mark.parametrize("oddity", STORIES, ids=lambda one: one.key)
def test_deviation_of_each_kind_is_reported_with_its_description_and_standard_clause(oddity: Oddity) -> None:
    (told,) = deviations(STORIES[oddity](), oddity)
    pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(oddity.sentence))
    assert re.fullmatch(pattern, told.sentence)
    assert told.clause == oddity.clause or (not oddity.clause and told.clause.startswith("20601"))


@pytest.mark.parametrize("oddity", [one for one in STORIES if one.outcome is Outcome.ENDED], ids=lambda one: one.key)
def test_fatal_deviation_aborts_the_association(oddity: Oddity) -> None:
    events = STORIES[oddity]()
    assert deviations(events, oddity)
    assert [event.by_us for event in events if isinstance(event, Aborted)] == [True]


def test_every_kind_of_deviation_is_reported_by_a_module() -> None:
    files = (path for path in ROOT.rglob("*.py") if path.name != "tolerances.py")
    texts = "\n".join(path.read_text() for path in files)
    assert [one.name for one in Oddity if not re.search(rf"\bOddity\.{one.name}\b", texts)] == []


def test_every_kind_of_deviation_is_named_in_a_test() -> None:
    folders = (TESTS / "protocols", TESTS / "gateway", TESTS / "simulators")
    texts = "\n".join(path.read_text() for folder in folders for path in folder.rglob("test_*.py"))
    assert [one.name for one in Oddity if not re.search(rf"\bOddity\.{one.name}\b", texts)] == []


def test_every_kind_of_deviation_has_a_unique_well_formed_description() -> None:
    for one in Oddity:
        assert not one.sentence.endswith("."), one.name
        assert (one.done[-1], one.why[-1]) == (".", "."), one.name
        assert one.clause == "" or one.clause.startswith("20601"), one.name
        assert BY_KEY[one.key] is one
        assert all(name for _, name, _, _ in string.Formatter().parse(one.sentence) if name is not None), one.name
    assert len({(one.sentence, one.clause) for one in Oddity}) == len(Oddity)
