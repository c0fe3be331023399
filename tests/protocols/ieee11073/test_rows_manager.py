"""Every row of the manager's state table, tested with bytes: state, input, next state, response.

A configuration is checked within one `receive`, so the manager never stays in the state CheckingConfig. For the inputs
of this state the tests set the state directly, as if the check took longer. The results of the check (rows 7.31, 7.32,
7.u) are reached with bytes from WaitingForConfig.
"""

from collections.abc import Callable
from functools import partial

import pytest

from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.association import AbortReason, AssociateResult
from protocols.ieee11073.apdu.data import (
    ConfigReportRsp,
    ConfigResult,
    ErrorValue,
    EventType,
    GetArgument,
    RejectProblem,
)
from protocols.ieee11073.association.admission import response
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_table import MANAGER
from protocols.ieee11073.association.requests import Request
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.association.states import Input, State
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import Reading, fixed_report
from protocols.ieee11073.mder import encode
from tests.builders.ieee11073_apdus import (
    AGENT_ID,
    MANAGER_ID,
    aarq,
    abrt,
    config_report,
    event_report,
    get_response,
    report_response,
    rlre,
    rlrq,
    roer,
    rorj,
    scan_report,
)
from tests.builders.ieee11073_corpus import apdu
from tests.builders.ieee11073_devices import OXIMETER, manager, minute, operating_manager
from tests.builders.ieee11073_rows import NOW_S, Do, Story, keys, ran, rows_of

S, I = State, Input  # noqa: E741  # the tables' own abbreviations
CONFIG_ID = OXIMETER.config_id
REPORT = scan_report(
    fixed_report(OXIMETER, (Reading(1, 97.0, minute(1)), Reading(10, 60.0, minute(1)))), report_no=0, invoke_id=5
)
CONFIG = config_report(OXIMETER, invoke_id=6)
GET, SET, ACTION = apdu("e8"), apdu("e15"), apdu("e18")
AARE_OF_ANOTHER = apdu("e2")
UNREADABLE = bytes.fromhex("E7000008 0006 0042 0101 0000")
"""A confirmed event report without a body, invoke-id 0x42."""
ASKS_MDS = bytes.fromhex("E700000E 000C 0000 0103 0006 0000 0000 0000")
UNKNOWN_ANSWER = get_response(77)
BROKE = ("odd message_unreadable",)
ABORTED = ("aborted 0 by us",)


def verdict(config_id: int, result: ConfigResult, invoke_id: int = 6) -> bytes:
    return report_response(invoke_id, EventType.CONFIG, info=encode(ConfigReportRsp(config_id, result)))


def waiting(settings: ManagerSettings | None = None) -> ManagerAssociation:
    one = manager(settings=settings)
    one.receive(aarq(CONFIG_ID), 0.0)
    return one


def checking() -> ManagerAssociation:
    one = waiting()
    one.state = S.CHECKING_CONFIG
    return one


def operating() -> ManagerAssociation:
    return operating_manager(OXIMETER)


def disassociating() -> ManagerAssociation:
    one = operating()
    one.release(0.0)
    return one


def with_get(state: State) -> ManagerAssociation:
    """Return a manager in this state, before Operating, that has sent a Get.

    Argus' manager never sends a Get in such a state, but the standard allows it (reference 20601 §6).
    """
    one = waiting()
    answers = frozenset({MessageTag.GET_RESULT})
    one._request(MessageTag.GET, GetArgument(0, ()), Request(answers, 9.0, done=lambda received: None))
    one.state = state
    return one


def asking_mds() -> ManagerAssociation:
    """Return a manager in the state Operating that has sent a Get of the MDS and received no response yet."""
    one = manager(known=OXIMETER)
    one.receive(aarq(CONFIG_ID), 0.0)
    return one


def asking_mds_and_leaving() -> ManagerAssociation:
    one = asking_mds()
    one.release(0.5)
    return one


def fresh() -> ManagerAssociation:
    return ManagerAssociation(system_id=MANAGER_ID, configurations=RememberedConfigurations())


def release(one: ManagerAssociation) -> list[Event]:
    return one.release(NOW_S)


def abort(one: ManagerAssociation) -> list[Event]:
    return one.abort()


def at(now_s: float) -> Do:
    return lambda one: one.expire(now_s)


BEGIN: dict[State, Callable[[], ManagerAssociation]] = {
    S.UNASSOCIATED: manager,
    S.WAITING_FOR_CONFIG: waiting,
    S.CHECKING_CONFIG: checking,
    S.OPERATING: operating,
}
ASSOCIATED = (S.WAITING_FOR_CONFIG, S.CHECKING_CONFIG, S.OPERATING)
CONFIGURING = (S.WAITING_FOR_CONFIG, S.CHECKING_CONFIG)


def unassociated(number: str, given: Input, do: Do, after: State, answer: bytes, *told: str) -> Story:
    return Story(number, given, manager, S.UNASSOCIATED, do, after, answer, told)


def everywhere(number: str, given: Input, do: Do, after: State | None, answer: bytes, *told: str) -> list[Story]:
    """Return one test case of a state table row for each associated state. With `after` None, the state does not
    change."""
    return [
        Story(f"{state.value}.{number}", given, BEGIN[state], state, do, after or state, answer, told)
        for state in ASSOCIATED
    ]


def leaving(number: str, given: Input, do: Do, after: State, answer: bytes, *told: str) -> Story:
    return Story(number, given, disassociating, S.DISASSOCIATING, do, after, answer, told)


ACCEPTED = response(MANAGER_ID, AssociateResult.ACCEPTED)
UNKNOWN = response(MANAGER_ID, AssociateResult.ACCEPTED_UNKNOWN_CONFIG)

# fmt: off
STORIES = [
    # Links. A row begins before a peer is connected, and ends where none receives.
    *(
        Story(f"{state.value}.l", I.LINK_DOWN, begin, state, b"", S.DISCONNECTED, b"", ("LinkLost",))
        for state, begin in {**BEGIN, S.DISASSOCIATING: disassociating}.items()
    ),
    # Unassociated
    unassociated("2.6", I.REQ_RELEASE, release, S.UNASSOCIATED, b""),
    unassociated("2.7", I.REQ_ABORT, abort, S.UNASSOCIATED, b""),
    Story(
        "2.9", I.RX_AARQ_KNOWN_CONFIG, partial(manager, known=OXIMETER), S.UNASSOCIATED, aarq(CONFIG_ID), S.OPERATING,
        ACCEPTED + ASKS_MDS, ("associated", "configuration agreed"),
    ),
    Story(
        "2.9", I.RX_AARQ_KNOWN_CONFIG, manager, S.UNASSOCIATED, aarq(0x0190), S.OPERATING,
        ACCEPTED + ASKS_MDS, ("associated", "configuration agreed"),
    ),
    unassociated(
        "2.10", I.RX_AARQ_UNKNOWN_CONFIG, aarq(CONFIG_ID), S.WAITING_FOR_CONFIG, UNKNOWN,
        "associated, configuration unknown",
    ),
    unassociated(
        "2.11", I.RX_AARQ_UNACCEPTABLE, aarq(CONFIG_ID, assoc_version=0x4000_0000), S.UNASSOCIATED,
        bytes.fromhex("E3000006 0008 0000 0000"), "rejected unsupported_association_version",
    ),
    unassociated(
        "2.11", I.RX_AARQ_UNACCEPTABLE, aarq(CONFIG_ID, data_proto_id=0xFFFF), S.UNASSOCIATED,
        apdu("e4"), "rejected no_common_protocol",
    ),
    unassociated(
        "2.11", I.RX_AARQ_UNACCEPTABLE, aarq(CONFIG_ID, protocol_version=0x4000_0000), S.UNASSOCIATED,
        bytes.fromhex(
            "E300002C 0005 5079 0026 00000000 8000 80000000 00000000 80000000 0008 8877665544332211 0000 0000 0000"
            "0000 0000"
        ), "rejected no_common_parameter",
    ),
    unassociated("2.12", I.RX_AARE, AARE_OF_ANOTHER, S.UNASSOCIATED, abrt(), "odd outside_association"),
    unassociated("2.16", I.RX_RLRQ, rlrq(), S.UNASSOCIATED, abrt(), "odd outside_association"),
    unassociated("2.17", I.RX_RLRE, rlre(), S.UNASSOCIATED, b""),
    unassociated("2.18", I.RX_ABRT, abrt(), S.UNASSOCIATED, b""),
    unassociated("2.19", I.RX_PRST, REPORT, S.UNASSOCIATED, abrt(), "odd outside_association"),
    unassociated(
        "2.u", I.RX_UNREADABLE, bytes.fromhex("E2000000"), S.UNASSOCIATED, abrt(),
        "odd apdu_unreadable", "odd outside_association",
    ),
    # Every associated state
    *everywhere("6", I.REQ_RELEASE, release, S.DISASSOCIATING, rlrq()),
    *everywhere("7", I.REQ_ABORT, abort, S.UNASSOCIATED, abrt(), *ABORTED),
    *everywhere("8", I.RX_AARQ, aarq(CONFIG_ID), S.UNASSOCIATED, abrt(), *ABORTED),
    *everywhere("12", I.RX_AARE, AARE_OF_ANOTHER, S.UNASSOCIATED, abrt(), *ABORTED),
    *everywhere("16", I.RX_RLRQ, rlrq(), S.UNASSOCIATED, rlre(), "Released"),
    *everywhere("17", I.RX_RLRE, rlre(), S.UNASSOCIATED, abrt(), *ABORTED),
    *everywhere("18", I.RX_ABRT, abrt(AbortReason.BUFFER_OVERFLOW), S.UNASSOCIATED, b"", "aborted 1 by the peer"),
    *everywhere("26", I.RX_RESPONSE_UNKNOWN, UNKNOWN_ANSWER, S.UNASSOCIATED, abrt(), *ABORTED),
    *everywhere("26", I.RX_RESPONSE_UNKNOWN, roer(77, ErrorValue(1)), S.UNASSOCIATED, abrt(), *ABORTED),
    *everywhere("26", I.RX_RESPONSE_UNKNOWN, rorj(77, RejectProblem(2)), S.UNASSOCIATED, abrt(), *ABORTED),
    *everywhere("u", I.RX_UNREADABLE, UNREADABLE, None, rorj(0x42, RejectProblem.BADLY_STRUCTURED_APDU), *BROKE),
    *everywhere(
        "u", I.RX_UNREADABLE, bytes.fromhex("E7000008 0006 0042 0999 0000"), None,
        rorj(0x42, RejectProblem.UNRECOGNIZED_APDU), *BROKE,
    ),
    *(
        Story(
            f"{state.value}.26", I.RX_RESPONSE_KNOWN, partial(with_get, state), state, get_response(0), state, b"", ()
        )
        for state in CONFIGURING
    ),
    Story("8.26", I.RX_RESPONSE_KNOWN, asking_mds, S.OPERATING, get_response(0), S.OPERATING, b"", ("MdsRead",)),
    Story(
        "8.26", I.RX_RESPONSE_KNOWN, asking_mds, S.OPERATING, roer(0, ErrorValue(1)), S.OPERATING, b"",
        ("odd mds_withheld",),
    ),
    # WaitingForConfig and CheckingConfig
    Story(
        "6.4", I.TIMEOUT, waiting, S.WAITING_FOR_CONFIG, at(10.0), S.UNASSOCIATED,
        abrt(AbortReason.CONFIGURATION_TIMEOUT), ("aborted 3 by us",),
    ),
    Story(
        "6.24", I.RX_CONFIG, waiting, S.WAITING_FOR_CONFIG, CONFIG, S.OPERATING,
        verdict(CONFIG_ID, ConfigResult.ACCEPTED_CONFIG) + ASKS_MDS, ("configuration learned",),
    ),
    Story(
        "6.b", I.CONFIG_ONCE_TOO_OFTEN, partial(waiting, ManagerSettings(configurations_max=1)), S.WAITING_FOR_CONFIG,
        config_report(Configuration(CONFIG_ID, ()), invoke_id=6), S.UNASSOCIATED,
        verdict(CONFIG_ID, ConfigResult.UNSUPPORTED_CONFIG) + abrt(),
        ("odd config_refused", "odd config_offered_in_vain", "aborted 0 by us"),
    ),
    Story("7.24", I.RX_CONFIG, checking, S.CHECKING_CONFIG, CONFIG, S.UNASSOCIATED, abrt(), ABORTED),
    *(
        Story(
            f"{state.value}.25", given, BEGIN[state], state, do, state,
            roer(int.from_bytes(do[6:8], "big"), ErrorValue.NO_SUCH_OBJECT_INSTANCE), (),
        )
        for state in CONFIGURING
        for given, do in (
            (I.RX_REPORT, REPORT), (I.RX_GET, GET), (I.RX_OTHER_REQUEST, SET), (I.RX_OTHER_REQUEST, ACTION),
        )
    ),
    *(
        Story(
            f"{state.value}.25", I.RX_REPORT, BEGIN[state], state,
            event_report(event_type, b"", confirmed=False), state, b"", (),
        )
        for state in CONFIGURING
        for event_type in (EventType.CONFIG, EventType.SCAN_REPORT_FIXED)
    ),
    Story(
        "7.31", I.CONFIG_REFUSED, waiting, S.WAITING_FOR_CONFIG,
        config_report(Configuration(CONFIG_ID, ()), invoke_id=6), S.WAITING_FOR_CONFIG,
        verdict(CONFIG_ID, ConfigResult.UNSUPPORTED_CONFIG), ("odd config_refused",),
    ),
    Story(
        "7.31", I.CONFIG_REFUSED, waiting, S.WAITING_FOR_CONFIG,
        config_report(Configuration(0x0258, ()), invoke_id=6), S.WAITING_FOR_CONFIG,
        verdict(0x0258, ConfigResult.STANDARD_CONFIG_UNKNOWN), ("odd config_refused",),
    ),
    Story(
        "7.32", I.CONFIG_ACCEPTED, waiting, S.WAITING_FOR_CONFIG, CONFIG, S.OPERATING,
        verdict(CONFIG_ID, ConfigResult.ACCEPTED_CONFIG) + ASKS_MDS, ("configuration learned",),
    ),
    Story(
        "7.u", I.CONFIG_UNREADABLE, waiting, S.WAITING_FOR_CONFIG,
        event_report(EventType.CONFIG, bytes.fromhex("4001 0001 0004 0006 0001"), invoke_id=6), S.WAITING_FOR_CONFIG,
        rorj(6, RejectProblem.BADLY_STRUCTURED_APDU), ("odd config_unreadable",),
    ),
    # Operating
    Story(
        "8.4", I.TIMEOUT, asking_mds, S.OPERATING, at(3.0), S.UNASSOCIATED,
        abrt(AbortReason.RESPONSE_TIMEOUT), ("aborted 2 by us",),
    ),
    Story("8.21", I.RX_REPORT, operating, S.OPERATING, REPORT, S.OPERATING, b"", ("2 observations, confirmed",)),
    Story(
        "8.21", I.RX_REPORT, operating, S.OPERATING, REPORT[:8] + b"\x01\x00" + REPORT[10:], S.OPERATING, b"",
        ("2 observations, unconfirmed",),
    ),
    *(
        Story(
            "8.21", given, operating, S.OPERATING, do, S.OPERATING,
            rorj(int.from_bytes(do[6:8], "big"), RejectProblem.UNRECOGNIZED_OPERATION), (),
        )
        for given, do in (
            (I.RX_CONFIG, CONFIG), (I.RX_GET, GET), (I.RX_OTHER_REQUEST, SET), (I.RX_OTHER_REQUEST, ACTION),
        )
    ),
    # Disassociating
    leaving("9.4", I.TIMEOUT, at(3.0), S.UNASSOCIATED, abrt(AbortReason.RESPONSE_TIMEOUT), "aborted 2 by us"),
    leaving("9.6", I.REQ_RELEASE, release, S.DISASSOCIATING, b""),
    leaving("9.7", I.REQ_ABORT, abort, S.UNASSOCIATED, abrt(), *ABORTED),
    leaving("9.8", I.RX_AARQ, aarq(CONFIG_ID), S.UNASSOCIATED, abrt(), *ABORTED),
    leaving("9.12", I.RX_AARE, AARE_OF_ANOTHER, S.UNASSOCIATED, abrt(), *ABORTED),
    leaving("9.16", I.RX_RLRQ, rlrq(), S.DISASSOCIATING, rlre()),
    leaving("9.17", I.RX_RLRE, rlre(), S.UNASSOCIATED, b"", "Released"),
    leaving("9.18", I.RX_ABRT, abrt(), S.UNASSOCIATED, b"", "aborted 0 by the peer"),
    leaving("9.21", I.RX_REPORT, REPORT, S.DISASSOCIATING, b""),
    leaving("9.21", I.RX_CONFIG, CONFIG, S.DISASSOCIATING, b""),
    leaving("9.21", I.RX_GET, GET, S.DISASSOCIATING, b""),
    leaving("9.21", I.RX_OTHER_REQUEST, SET, S.DISASSOCIATING, b""),
    Story(
        "9.26", I.RX_RESPONSE_KNOWN, asking_mds_and_leaving, S.DISASSOCIATING, get_response(0), S.DISASSOCIATING, b"",
        ("MdsRead",),
    ),
    leaving("9.26", I.RX_RESPONSE_UNKNOWN, UNKNOWN_ANSWER, S.UNASSOCIATED, abrt(), *ABORTED),
    leaving("9.u", I.RX_UNREADABLE, UNREADABLE, S.DISASSOCIATING, b"", *BROKE),
]
# fmt: on


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_input_of_each_manager_state_table_row_gives_its_next_state_and_response(story: Story) -> None:
    done = ran(story)
    assert (done.before, done.after) == (story.before, story.after)
    assert done.answer == story.answer
    assert done.told == story.told
    assert (story.number, story.given) in {(row.number, row.input) for row in done.rows}


def test_manager_accepts_an_association_request_after_connecting_as_in_state_table_row_1_1() -> None:
    assert fresh().state is S.UNASSOCIATED
    assert fresh().receive(aarq(0x0190, system_id=AGENT_ID), 0.0) != []


def test_every_row_of_the_manager_state_table_is_tested() -> None:
    link_up = {("1.1", S.DISCONNECTED, I.LINK_UP)}
    # Stories list a verdict on a configuration under the state in which the configuration arrived.
    told = {
        (number, S.CHECKING_CONFIG if number.startswith("7.") else state, given)
        for number, state, given in keys(STORIES)
    }
    assert rows_of(MANAGER) - told == link_up
    assert told - rows_of(MANAGER) == set()
