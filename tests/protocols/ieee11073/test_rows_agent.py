"""Every row of the agent's state table, tested with bytes: state, input, next state, response.

An agent has its configuration at hand, so it never stays in the state ConfigSending. For the inputs of this state the
tests set the state directly, as if the agent still prepared its configuration. The rows 4.32 and 4.b, which leave the
state, are reached with bytes.
"""

from collections.abc import Callable
from functools import partial

import pytest

from protocols.ieee11073.apdu.association import AbortReason, AssociateResult, ReleaseRequestReason
from protocols.ieee11073.apdu.data import (
    ConfigReportRsp,
    ConfigResult,
    ErrorValue,
    EventType,
    RejectProblem,
)
from protocols.ieee11073.association.admission import response
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.agent_table import AGENT
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.settings import AgentSettings
from protocols.ieee11073.association.states import Input, State
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import ava
from protocols.ieee11073.dim.reports import Reading, fixed_report
from protocols.ieee11073.mder import encode
from tests.builders.ieee11073_apdus import (
    AGENT_ID,
    MANAGER_ID,
    aarq,
    abrt,
    config_report,
    get_response,
    report_response,
    rlre,
    rlrq,
    roer,
    rorj,
    scan_report,
)
from tests.builders.ieee11073_corpus import apdu
from tests.builders.ieee11073_devices import OXIMETER, minute
from tests.builders.ieee11073_rows import NOW_S, Do, Story, keys, ran, rows_of

S, I = State, Input  # noqa: E741  # the tables' own abbreviations
CONFIG_ID = OXIMETER.config_id
MODEL = ava(Attribute.SYSTEM_MODEL, bytes.fromhex("0004 41434D45 0006 4F58492D3120"))
AARQ = aarq(CONFIG_ID)
AAREX = {
    I.RX_AARE_ACCEPTED: response(MANAGER_ID, AssociateResult.ACCEPTED),
    I.RX_AARE_UNKNOWN_CONFIG: response(MANAGER_ID, AssociateResult.ACCEPTED_UNKNOWN_CONFIG),
    I.RX_AARE_REJECTED: response(MANAGER_ID, AssociateResult.REJECTED_UNAUTHORIZED),
}
REPORT = fixed_report(OXIMETER, (Reading(1, 97.0, minute(1)), Reading(10, 60.0, minute(1))))
EVENT = scan_report(REPORT, invoke_id=5)
CONFIG = config_report(OXIMETER, invoke_id=6)
GET, SET, ACTION = apdu("e8"), apdu("e15"), apdu("e18")
UNREADABLE = bytes.fromhex("E7000008 0006 0042 0103 0000")
"""A Get without a body, invoke-id 0x42."""
UNKNOWN_ANSWER = report_response(77)
BROKE, ABORTED = ("odd message_unreadable",), ("aborted 0 by us",)
SENT_CONFIG = config_report(OXIMETER, invoke_id=0)


def verdict(result: ConfigResult) -> bytes:
    return report_response(0, EventType.CONFIG, info=encode(ConfigReportRsp(CONFIG_ID, result)))


def agent(*configurations: Configuration, settings: AgentSettings | None = None) -> AgentAssociation:
    return AgentAssociation(
        system_id=AGENT_ID,
        configurations=configurations or (OXIMETER,),
        mds_attributes=lambda: (MODEL,),
        settings=settings,
    )


def associating(*configurations: Configuration, settings: AgentSettings | None = None) -> AgentAssociation:
    one = agent(*configurations, settings=settings)
    one.associate(0.0)
    return one


def waiting(*configurations: Configuration) -> AgentAssociation:
    one = associating(*configurations)
    one.receive(AAREX[I.RX_AARE_UNKNOWN_CONFIG], 0.0)
    return one


def sending() -> AgentAssociation:
    one = waiting()
    one.state = S.CONFIG_SENDING
    return one


def operating() -> AgentAssociation:
    one = associating()
    one.receive(AAREX[I.RX_AARE_ACCEPTED], 0.0)
    return one


def reporting() -> AgentAssociation:
    one = operating()
    one.report(REPORT, confirmed=True, now_s=0.0)
    return one


def leaving_from(begin: Callable[[], AgentAssociation]) -> AgentAssociation:
    one = begin()
    one.release(0.5)
    return one


disassociating = partial(leaving_from, operating)


def release(one: AgentAssociation) -> list[Event]:
    return one.release(NOW_S)


def abort(one: AgentAssociation) -> list[Event]:
    return one.abort()


def at(now_s: float) -> Do:
    return lambda one: one.expire(now_s)


BEGIN: dict[State, Callable[[], AgentAssociation]] = {
    S.UNASSOCIATED: agent, S.ASSOCIATING: associating, S.CONFIG_SENDING: sending, S.WAITING_APPROVAL: waiting,
    S.OPERATING: operating, S.DISASSOCIATING: disassociating,
}  # fmt: skip
ASSOCIATED = (S.CONFIG_SENDING, S.WAITING_APPROVAL, S.OPERATING)
CONFIGURING = (S.CONFIG_SENDING, S.WAITING_APPROVAL)


def story(state: State, number: str, given: Input, do: Do, after: State | None, answer: bytes, *told: str) -> Story:
    return Story(f"{state.value}.{number}", given, BEGIN[state], state, do, after or state, answer, told)


def everywhere(
    states: tuple[State, ...], number: str, given: Input, do: Do, after: State | None, answer: bytes, *told: str
) -> list[Story]:
    """Return one test case of a state table row for each of the states. With `after` None, the state
    does not change."""
    return [story(state, number, given, do, after, answer, *told) for state in states]


def requests(octets: bytes) -> int:
    """Return the invoke-id in an APDU."""
    return int.from_bytes(octets[6:8], "big")


NO_OBJECT, INVALID_OBJECT, NO_ACTION = ErrorValue(1), ErrorValue(17), ErrorValue(9)
UNRECOGNIZED = RejectProblem.UNRECOGNIZED_OPERATION
REJECTED_PERMANENT = bytes.fromhex("E3000006 0001 0000 0000")
OTHERS = ((I.RX_OTHER_REQUEST, SET), (I.RX_OTHER_REQUEST, ACTION), (I.RX_REPORT, EVENT), (I.RX_CONFIG, CONFIG))
MDS = get_response(requests(GET), (MODEL,))

# fmt: off
STORIES = [
    *(story(state, "l", I.LINK_DOWN, b"", S.DISCONNECTED, b"", "LinkLost") for state in BEGIN),
    # Unassociated
    story(S.UNASSOCIATED, "5", I.REQ_ASSOCIATE, lambda one: one.associate(NOW_S), S.ASSOCIATING, AARQ),
    story(S.UNASSOCIATED, "6", I.REQ_RELEASE, release, None, b""),
    story(S.UNASSOCIATED, "7", I.REQ_ABORT, abort, None, b""),
    *(
        story(S.UNASSOCIATED, "12", given, octets, None, abrt(), "odd outside_association")
        for given, octets in AAREX.items()
    ),
    story(S.UNASSOCIATED, "16", I.RX_RLRQ, rlrq(), None, abrt(), "odd outside_association"),
    story(S.UNASSOCIATED, "17", I.RX_RLRE, rlre(), None, b""),
    story(S.UNASSOCIATED, "18", I.RX_ABRT, abrt(), None, b""),
    story(S.UNASSOCIATED, "19", I.RX_PRST, GET, None, abrt(), "odd outside_association"),
    story(
        S.UNASSOCIATED, "u", I.RX_UNREADABLE, bytes.fromhex("E3000000"), None, abrt(),
        "odd apdu_unreadable", "odd outside_association",
    ),
    *everywhere((S.UNASSOCIATED, S.ASSOCIATING), "8", I.RX_AARQ, AARQ, S.UNASSOCIATED, REJECTED_PERMANENT),
    # Associating
    story(S.ASSOCIATING, "4", I.TIMEOUT, at(10.0), S.ASSOCIATING, AARQ),
    Story(
        "3.4", I.TIMEOUT, partial(associating, settings=AgentSettings(associations_max=1)), S.ASSOCIATING, at(10.0),
        S.UNASSOCIATED, abrt(AbortReason.RESPONSE_TIMEOUT), ("aborted 2 by us",),
    ),
    story(S.ASSOCIATING, "6", I.REQ_RELEASE, release, S.UNASSOCIATED, abrt(), *ABORTED),
    story(S.ASSOCIATING, "7", I.REQ_ABORT, abort, S.UNASSOCIATED, abrt(), *ABORTED),
    story(
        S.ASSOCIATING, "13", I.RX_AARE_ACCEPTED, AAREX[I.RX_AARE_ACCEPTED], S.OPERATING, b"",
        "associated", "configuration agreed",
    ),
    story(
        S.ASSOCIATING, "14", I.RX_AARE_UNKNOWN_CONFIG, AAREX[I.RX_AARE_UNKNOWN_CONFIG], S.WAITING_APPROVAL,
        SENT_CONFIG, "associated, configuration unknown", "configuration asked",
    ),
    story(
        S.ASSOCIATING, "15", I.RX_AARE_REJECTED, AAREX[I.RX_AARE_REJECTED], S.UNASSOCIATED, b"",
        "rejected unauthorized",
    ),
    story(
        S.ASSOCIATING, "15", I.RX_AARE_REJECTED, response(MANAGER_ID, AssociateResult(0x1234)), S.UNASSOCIATED, b"",
        "rejected unknown",
    ),
    story(S.ASSOCIATING, "16", I.RX_RLRQ, rlrq(), S.UNASSOCIATED, abrt(), *ABORTED),
    story(S.ASSOCIATING, "17", I.RX_RLRE, rlre(), S.UNASSOCIATED, abrt(), *ABORTED),
    story(S.ASSOCIATING, "18", I.RX_ABRT, abrt(), S.UNASSOCIATED, b"", "aborted 0 by the peer"),
    story(S.ASSOCIATING, "19", I.RX_PRST, GET, S.UNASSOCIATED, abrt(), *ABORTED),
    story(
        S.ASSOCIATING, "u", I.RX_UNREADABLE, bytes.fromhex("E3000000"), S.UNASSOCIATED, abrt(),
        "odd apdu_unreadable", "aborted 0 by us",
    ),
    # Every associated state
    *everywhere(ASSOCIATED, "6", I.REQ_RELEASE, release, S.DISASSOCIATING, rlrq()),
    *everywhere(ASSOCIATED, "7", I.REQ_ABORT, abort, S.UNASSOCIATED, abrt(), *ABORTED),
    *everywhere(ASSOCIATED, "8", I.RX_AARQ, AARQ, S.UNASSOCIATED, abrt(), *ABORTED),
    *(
        one
        for given, octets in AAREX.items()
        for one in everywhere(ASSOCIATED, "12", given, octets, S.UNASSOCIATED, abrt(), *ABORTED)
    ),
    *everywhere(ASSOCIATED, "16", I.RX_RLRQ, rlrq(), S.UNASSOCIATED, rlre(), "Released"),
    *everywhere(ASSOCIATED, "17", I.RX_RLRE, rlre(), S.UNASSOCIATED, abrt(), *ABORTED),
    *everywhere(ASSOCIATED, "18", I.RX_ABRT, abrt(AbortReason(3)), S.UNASSOCIATED, b"", "aborted 3 by the peer"),
    *everywhere(ASSOCIATED, "u", I.RX_UNREADABLE, UNREADABLE, None, rorj(0x42, RejectProblem(2)), *BROKE),
    # ConfigSending and WaitingApproval
    story(
        S.ASSOCIATING, "14", I.RX_AARE_UNKNOWN_CONFIG, AAREX[I.RX_AARE_UNKNOWN_CONFIG], S.WAITING_APPROVAL,
        SENT_CONFIG, "associated, configuration unknown", "configuration asked",
    )._replace(number="4.32", given=I.CONFIG_LEFT),
    story(
        S.WAITING_APPROVAL, "27", I.CONFIG_REFUSED, verdict(ConfigResult.UNSUPPORTED_CONFIG), S.DISASSOCIATING,
        rlrq(ReleaseRequestReason.NO_MORE_CONFIGURATIONS),
    )._replace(number="4.b", given=I.CONFIG_EXHAUSTED),
    *everywhere(CONFIGURING, "22", I.RX_GET, GET, None, MDS),
    *everywhere(
        CONFIGURING, "22", I.RX_GET, GET[:12] + b"\x00\x01" + GET[14:], None, roer(requests(GET), NO_OBJECT)
    ),
    *(
        one
        for given, do in OTHERS
        for one in everywhere(CONFIGURING, "23", given, do, None, roer(requests(do), NO_OBJECT))
    ),
    story(S.CONFIG_SENDING, "26", I.RX_RESPONSE_KNOWN, roer(0, NO_OBJECT), S.UNASSOCIATED, abrt(), *ABORTED),
    story(S.CONFIG_SENDING, "26", I.RX_RESPONSE_UNKNOWN, UNKNOWN_ANSWER, S.UNASSOCIATED, abrt(), *ABORTED),
    story(
        S.WAITING_APPROVAL, "4", I.TIMEOUT, at(10.0), S.UNASSOCIATED, abrt(AbortReason.CONFIGURATION_TIMEOUT),
        "aborted 3 by us",
    ),
    *(
        Story(
            "5.27", I.CONFIG_REFUSED, partial(waiting, OXIMETER, Configuration(0x4010, ())), S.WAITING_APPROVAL,
            verdict(result), S.WAITING_APPROVAL, config_report(Configuration(0x4010, ()), invoke_id=1),
            ("configuration asked",),
        )
        for result in (ConfigResult.UNSUPPORTED_CONFIG, ConfigResult.STANDARD_CONFIG_UNKNOWN)
    ),
    story(
        S.WAITING_APPROVAL, "29", I.CONFIG_ACCEPTED, verdict(ConfigResult.ACCEPTED_CONFIG), S.OPERATING, b"",
        "configuration agreed",
    ),
    story(S.WAITING_APPROVAL, "30", I.RX_RESPONSE_KNOWN, roer(0, NO_OBJECT), S.UNASSOCIATED, abrt(), *ABORTED),
    story(
        S.WAITING_APPROVAL, "30", I.RX_RESPONSE_KNOWN, rorj(0, RejectProblem(2)), S.UNASSOCIATED, abrt(), *ABORTED
    ),
    story(
        S.WAITING_APPROVAL, "30", I.RX_RESPONSE_KNOWN, report_response(0, EventType.CONFIG), S.UNASSOCIATED, abrt(),
        "odd config_verdict_unreadable", "aborted 0 by us",
    ),
    story(S.WAITING_APPROVAL, "30", I.RX_RESPONSE_UNKNOWN, UNKNOWN_ANSWER, S.UNASSOCIATED, abrt(), *ABORTED),
    # Operating
    Story(
        "8.4", I.TIMEOUT, reporting, S.OPERATING, at(3.0), S.UNASSOCIATED, abrt(AbortReason.RESPONSE_TIMEOUT),
        ("aborted 2 by us",),
    ),
    story(S.OPERATING, "21", I.RX_GET, GET, None, MDS),
    story(S.OPERATING, "21", I.RX_OTHER_REQUEST, ACTION, None, roer(requests(ACTION), NO_ACTION)),
    story(S.OPERATING, "21", I.RX_OTHER_REQUEST, SET, None, roer(requests(SET), NO_OBJECT)),
    story(
        S.OPERATING, "21", I.RX_OTHER_REQUEST, SET[:12] + b"\x00\x0A" + SET[14:], None,
        roer(requests(SET), INVALID_OBJECT),
    ),
    story(S.OPERATING, "21", I.RX_REPORT, EVENT, None, rorj(requests(EVENT), UNRECOGNIZED)),
    story(S.OPERATING, "21", I.RX_CONFIG, CONFIG, None, rorj(requests(CONFIG), UNRECOGNIZED)),
    Story(
        "8.26", I.RX_RESPONSE_KNOWN, reporting, S.OPERATING, report_response(0), S.OPERATING, b"", ("ReportAccepted",)
    ),
    Story(
        "8.26", I.RX_RESPONSE_KNOWN, reporting, S.OPERATING, rorj(0, RejectProblem(103)), S.OPERATING, b"",
        ("ReportRefused",),
    ),
    story(S.OPERATING, "26", I.RX_RESPONSE_UNKNOWN, UNKNOWN_ANSWER, S.UNASSOCIATED, abrt(), *ABORTED),
    # Disassociating
    story(
        S.DISASSOCIATING, "4", I.TIMEOUT, at(4.0), S.UNASSOCIATED, abrt(AbortReason.RESPONSE_TIMEOUT),
        "aborted 2 by us",
    ),
    story(S.DISASSOCIATING, "6", I.REQ_RELEASE, release, None, b""),
    story(S.DISASSOCIATING, "7", I.REQ_ABORT, abort, S.UNASSOCIATED, abrt(), *ABORTED),
    story(S.DISASSOCIATING, "8", I.RX_AARQ, AARQ, S.UNASSOCIATED, abrt(), *ABORTED),
    *(
        story(S.DISASSOCIATING, "12", given, octets, S.UNASSOCIATED, abrt(), *ABORTED)
        for given, octets in AAREX.items()
    ),
    story(S.DISASSOCIATING, "16", I.RX_RLRQ, rlrq(), None, rlre()),
    story(S.DISASSOCIATING, "17", I.RX_RLRE, rlre(), S.UNASSOCIATED, b"", "Released"),
    story(S.DISASSOCIATING, "18", I.RX_ABRT, abrt(), S.UNASSOCIATED, b"", "aborted 0 by the peer"),
    *(
        story(S.DISASSOCIATING, "21", given, do, None, b"") for given, do in ((I.RX_GET, GET), *OTHERS)
    ),
    Story(
        "9.26", I.RX_RESPONSE_KNOWN, partial(leaving_from, reporting), S.DISASSOCIATING, report_response(0),
        S.DISASSOCIATING, b"", ("ReportAccepted",),
    ),
    *(
        Story(
            "9.26", given, partial(leaving_from, waiting), S.DISASSOCIATING, verdict(result),
            S.DISASSOCIATING, b"", (),
        )
        for given, result in (
            (I.CONFIG_ACCEPTED, ConfigResult.ACCEPTED_CONFIG), (I.CONFIG_REFUSED, ConfigResult.UNSUPPORTED_CONFIG)
        )
    ),
    story(S.DISASSOCIATING, "26", I.RX_RESPONSE_UNKNOWN, UNKNOWN_ANSWER, S.UNASSOCIATED, abrt(), *ABORTED),
    story(S.DISASSOCIATING, "u", I.RX_UNREADABLE, UNREADABLE, None, b"", *BROKE),
]
# fmt: on


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_input_of_each_agent_state_table_row_gives_its_next_state_and_response(story: Story) -> None:
    done = ran(story)
    assert (done.before, done.after) == (story.before, story.after)
    assert done.answer == story.answer
    assert done.told == story.told
    assert (story.number, story.given) in {(row.number, row.input) for row in done.rows}


def test_agent_is_unassociated_after_connecting_as_in_state_table_row_1_1() -> None:
    assert agent().state is S.UNASSOCIATED


def test_every_row_of_the_agent_state_table_is_tested() -> None:
    # Stories list rows of ConfigSending under the state in which the input arrived.
    told = {
        (number, S.CONFIG_SENDING if number.startswith("4.") else state, given)
        for number, state, given in keys(STORIES)
    }
    assert rows_of(AGENT) - told == {("1.1", S.DISCONNECTED, I.LINK_UP)}
    assert told - rows_of(AGENT) == set()
