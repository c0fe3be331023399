"""Both state tables are compared, row by row, with the tables in the reference's text (20601 §9.1 and §9.2).

For each state and input the next state and the action must be equal, and the row number where the reference has one.
DIFFERENT lists the cells that differ on purpose, with the reason. MORE lists the cells where Argus' tables are more
exact. The test is skipped where the reference is absent.
"""

import re
from itertools import product
from typing import NamedTuple

import pytest

from protocols.ieee11073.association.agent_table import AGENT
from protocols.ieee11073.association.manager_table import MANAGER
from protocols.ieee11073.association.states import Action, Input, Row, State
from tests.harness.shared import shared_path

S, I, A = State, Input, Action  # noqa: E741  # the tables' own abbreviations

Cell = tuple[State, Input]

STATES = {
    "Disconnected": S.DISCONNECTED,
    "Unassociated": S.UNASSOCIATED,
    "Associating": S.ASSOCIATING,
    "ConfigSending": S.CONFIG_SENDING,
    "WaitingApproval": S.WAITING_APPROVAL,
    "WaitingForConfig": S.WAITING_FOR_CONFIG,
    "CheckingConfig": S.CHECKING_CONFIG,
    "Operating": S.OPERATING,
    "Disassociating": S.DISASSOCIATING,
}
AARES = (I.RX_AARE_ACCEPTED, I.RX_AARE_UNKNOWN_CONFIG, I.RX_AARE_REJECTED)
RESPONSES = (I.RX_RESPONSE_KNOWN, I.RX_RESPONSE_UNKNOWN)
ROIV = (I.RX_REPORT, I.RX_CONFIG, I.RX_GET, I.RX_OTHER_REQUEST)

MANAGER_INPUTS: dict[str, tuple[Input, ...]] = {
    "transport connected": (I.LINK_UP,),
    "transport lost": (I.LINK_DOWN,),
    "AARQ ok, configuration known": (I.RX_AARQ_KNOWN_CONFIG,),
    "AARQ ok, configuration unknown": (I.RX_AARQ_UNKNOWN_CONFIG,),
    "AARQ unacceptable": (I.RX_AARQ_UNACCEPTABLE,),
    "AARE, RLRQ, PRST": (I.RX_AARE, I.RX_RLRQ, I.RX_PRST),
    "RLRE, ABRT": (I.RX_RLRE, I.RX_ABRT),
    "config timer": (I.TIMEOUT,),
    "confirmed event report (config)": (I.RX_CONFIG,),
    "unconfirmed event report, other roiv": (I.RX_REPORT, I.RX_GET, I.RX_OTHER_REQUEST),
    "rors/roer/rorj": RESPONSES,
    "AARQ, AARE, RLRE": (I.RX_AARQ, I.RX_AARE, I.RX_RLRE),
    "RLRQ": (I.RX_RLRQ,),
    "RLRE": (I.RX_RLRE,),
    "ABRT received": (I.RX_ABRT,),
    "local release request": (I.REQ_RELEASE,),
    "local abort request": (I.REQ_ABORT,),
    "config unsupported / unknown": (I.CONFIG_REFUSED,),
    "config accepted": (I.CONFIG_ACCEPTED,),
    "config undecodable": (I.CONFIG_UNREADABLE,),
    "another MDC_NOTI_CONFIG": (I.RX_CONFIG,),
    "confirmed measurement report": (I.RX_REPORT,),
    "event report (confirmed or not)": (I.RX_REPORT,),
    "any other roiv from agent": (I.RX_GET, I.RX_OTHER_REQUEST),
    "service timeout": (I.TIMEOUT,),
    "release timer": (I.TIMEOUT,),
    "roiv": ROIV,
    "rors / roer / rorj, AARQ, AARE": (*RESPONSES, I.RX_AARQ, I.RX_AARE),
}
AGENT_INPUTS: dict[str, tuple[Input, ...]] = {
    "local associate": (I.REQ_ASSOCIATE,),
    "AARQ received": (I.RX_AARQ,),
    "AARE, RLRQ, PRST": (*AARES, I.RX_RLRQ, I.RX_PRST),
    "AARE accepted(0)": (I.RX_AARE_ACCEPTED,),
    "AARE accepted-unknown-config(3)": (I.RX_AARE_UNKNOWN_CONFIG,),
    "AARE rejected-*": (I.RX_AARE_REJECTED,),
    "timer": (I.TIMEOUT,),
    "RLRQ, RLRE, PRST": (I.RX_RLRQ, I.RX_RLRE, I.RX_PRST),
    "internal": (I.CONFIG_LEFT,),
    "Get MDS": (I.RX_GET,),
    "other roiv": (I.RX_REPORT, I.RX_CONFIG, I.RX_OTHER_REQUEST),
    "rors, roer, rorj": RESPONSES,
    "config response accepted": (I.CONFIG_ACCEPTED,),
    "config response unsupported / standard-unknown": (I.CONFIG_REFUSED,),
    "any other rors, roer, rorj": RESPONSES,
    "Get, Set, Action": (I.RX_GET, I.RX_OTHER_REQUEST),
    "RLRQ": (I.RX_RLRQ,),
    "AARQ, AARE, RLRE": (I.RX_AARQ, *AARES, I.RX_RLRE),
}
NOT_INPUTS = {
    "local data": "a report is a call of the device, in Operating only; it is no input of the table",
    "configuration changes": "the device releases and associates anew with its other configuration",
    "as for the manager": "said of Disassociating as a whole: compared by a test of its own",
}

ABORTS = {A.SEND_ABRT}
ANSWERED = {A.ANSWER_REQUEST}
ACTIONS: list[tuple[str, set[Action]]] = [
    # The beginnings of the reference's action texts, longest first, and the table's names for the actions.
    ("ABRT", ABORTS),
    ("AARE accepted(0)", {A.SEND_AARE_ACCEPTED}),
    ("AARE accepted-unknown-config(3)", {A.SEND_AARE_UNKNOWN_CONFIG}),
    ("AARE with reject code", {A.SEND_AARE_REJECTED}),
    ("AARE rejected-permanent", {A.SEND_AARE_REJECTED_PERMANENT}),
    ("AARQ, association timer", {A.SEND_AARQ}),
    ("repeat AARQ", {A.REPEAT_AARQ}),
    ("RLRE, keep waiting", {A.SEND_RLRE_AND_WAIT}),
    ("RLRE", {A.SEND_RLRE}),
    ("RLRQ, release timer", {A.SEND_RLRQ}),
    ("drop session", {A.LOSE_LINK}),
    ("ignore", {A.IGNORE}),
    ("discard", {A.IGNORE}),
    ("none", {A.TAKE_ABRT, A.IGNORE}),
    ("done", {A.FINISH_RELEASE}),
    ("evaluate", {A.EVALUATE_CONFIG}),
    ("roer no-such-object-instance", {A.REFUSE_NO_SUCH_OBJECT}),
    ("rorj badly-structured-apdu", {A.REJECT_CONFIG_APDU}),
    ("rorj unrecognized-operation", {A.REFUSE_OPERATION}),
    ("config response 1 or 2", {A.REFUSE_CONFIG}),
    ("config response 0", {A.ACCEPT_CONFIG}),
    ("process; rors if confirmed", {A.TAKE_REPORT}),
    ("complete the pending request", {A.TAKE_RESPONSE}),
    ("match to own Get", {A.TAKE_RESPONSE}),
    ("report reason", {A.TAKE_REJECTION}),
    ("send confirmed MDC_NOTI_CONFIG", {A.SEND_CONFIG}),
    ("rors-get", {A.ANSWER_GET}),
    ("respond", ANSWERED),
    ("try next configuration", {A.REFUSE_CONFIG}),
    ("-", {A.NOTHING, A.TAKE_ACCEPTANCE}),
    ("", {A.ACCEPT_CONFIG}),
]


class Paper(NamedTuple):
    """One row of a state table in the reference. `next` is None where the reference does not name a single state."""

    state: State
    given: Input
    next: State | None
    action: str
    numbers: frozenset[str]


def table_of(section: str) -> list[list[str]]:
    """Return the cells of each row of the state table in this section of the reference."""
    text = shared_path("reference/20601.md").read_text(encoding="utf-8")
    part = text.split(f"### {section} ", 1)[1].split("### ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:1] == "|"]
    assert rows[0] == ["state", "input", "next", "action"]
    return rows[2:]


def states_of(text: str, everywhere: tuple[State, ...]) -> tuple[State, ...]:
    match text:
        case "any" | "any connected":
            return (S.UNASSOCIATED, *everywhere, S.DISASSOCIATING)
        case "any associated" | "associated states":
            return everywhere
        case _:
            return tuple(STATES[name] for name in re.split(r", | / ", text))


def cells_of(section: str, inputs: dict[str, tuple[Input, ...]], everywhere: tuple[State, ...]) -> list[Paper]:
    found = []
    for states, given, following, action in table_of(section):
        if given in NOT_INPUTS:
            continue
        for state, one in product(states_of(states, everywhere), inputs[given]):
            after = state if following.startswith("unchanged") else STATES.get(following)
            found.append(Paper(state, one, after, action, numbers_of(action, state)))
    return found


def numbers_of(action: str, state: State) -> frozenset[str]:
    """Return the numbers of the rows of `state` that the text of an action refers to. A number such as "x.4" refers to
    the row 4 of every state."""
    named = re.findall(r"\b([x\d])\.(\d+)", action)
    return frozenset(f"{state.value}.{rest}" for first, rest in named if first in ("x", str(state.value)))


def actions_of(text: str) -> set[Action]:
    return next(actions for begin, actions in ACTIONS if text.startswith(begin))


def differences(table: tuple[Row, ...], paper: list[Paper]) -> dict[Cell, str]:
    rows = {(row.state, row.input): row for row in table}
    found: dict[Cell, str] = {}
    for cell in paper:
        row = rows.get((cell.state, cell.given))
        if row is None:
            found[cell.state, cell.given] = "no row"
            continue
        wrong = []
        if row.next is not cell.next:
            wrong.append(f"next {row.next.name}")
        if row.action not in actions_of(cell.action):
            wrong.append(f"action {row.action.name}, not {cell.action!r}")
        if cell.numbers and row.number not in cell.numbers:
            wrong.append(f"number {row.number}")
        if wrong:
            found[cell.state, cell.given] = "; ".join(wrong)
    return found


MANAGER_EVERYWHERE = (S.WAITING_FOR_CONFIG, S.CHECKING_CONFIG, S.OPERATING)
AGENT_EVERYWHERE = (S.CONFIG_SENDING, S.WAITING_APPROVAL, S.OPERATING)

RULE_4 = "§9.4 rule 4: a response whose invoke-id is unknown gets ABRT"
DIFFERENT_MANAGER: dict[Cell, str] = {
    (S.WAITING_FOR_CONFIG, I.RX_RESPONSE_UNKNOWN): "the row itself says so: unknown invoke-id -> ABRT",
    (S.OPERATING, I.RX_RESPONSE_UNKNOWN): RULE_4,
    (S.DISASSOCIATING, I.RX_RESPONSE_KNOWN): "the row itself says so: rors ends it only if the invoke-id is unknown",
    (S.CHECKING_CONFIG, I.RX_REPORT): "7.24 covers two inputs there; ours of a report stands with 6.25 as 7.25",
}
DIFFERENT_AGENT: dict[Cell, str] = {
    (S.ASSOCIATING, I.TIMEOUT): "the row has two ends: REPEAT_AARQ aborts (to Unassociated) after the retry count",
}

UNREADABLE = "§9.4 rule 1, which stands beside the table"
OURS = "what our own side asks for where the reference is silent: nothing, or the end"
LINK = "said of the manager, holds for both"
MORE_MANAGER: dict[str, set[str]] = {
    UNREADABLE: {"2.u", "6.u", "7.u", "8.u", "9.u"},
    OURS: {"2.6", "2.7", "9.6", "9.7"},
    "a bound of ours on configurations without end": {"6.b"},
    "CheckingConfig answers as WaitingForConfig does": {"7.25", "7.26"},
    "a configuration report in Operating is any other roiv": {"8.21"},
}
MORE_AGENT: dict[str, set[str]] = {
    UNREADABLE: {"2.u", "3.u", "4.u", "5.u", "8.u"},
    OURS: {"2.6", "2.7", "3.6", "3.7"},
    LINK: {"1.1", "2.l", "3.l", "4.l", "5.l", "8.l", "9.l"},
    "as the manager's: a late farewell is ignored": {"2.17", "2.18"},
    "as the manager's: x.6, x.7, x.18": {"4.6", "5.6", "8.6", "4.7", "5.7", "8.7", "3.18", "4.18", "5.18", "8.18"},
    "the end of 5.27 where no configuration is left": {"4.b"},
    "§9.3: waiting for approval 10 s; a confirmed service that is not answered": {"5.4", "8.4"},
    "an agent gets no reports; as the manager's any other roiv": {"8.21"},
    "as the manager's: answers to our own reports": {"8.26"},
}


@pytest.mark.parametrize(
    ("table", "section", "inputs", "everywhere", "different"),
    [
        (MANAGER, "9.1", MANAGER_INPUTS, MANAGER_EVERYWHERE, DIFFERENT_MANAGER),
        (AGENT, "9.2", AGENT_INPUTS, AGENT_EVERYWHERE, DIFFERENT_AGENT),
    ],
    ids=["manager", "agent"],
)
def test_state_table_equals_the_reference_except_for_listed_differences(
    table: tuple[Row, ...],
    section: str,
    inputs: dict[str, tuple[Input, ...]],
    everywhere: tuple[State, ...],
    different: dict[Cell, str],
) -> None:
    paper = cells_of(section, inputs, everywhere)
    assert len(paper) > 40
    assert differences(table, paper).keys() == different.keys()


@pytest.mark.parametrize(
    ("table", "section", "inputs", "everywhere", "more"),
    [
        (MANAGER, "9.1", MANAGER_INPUTS, MANAGER_EVERYWHERE, MORE_MANAGER),
        (AGENT, "9.2", AGENT_INPUTS, AGENT_EVERYWHERE, MORE_AGENT),
    ],
    ids=["manager", "agent"],
)
def test_every_state_table_row_that_is_not_in_the_reference_has_a_listed_reason(
    table: tuple[Row, ...],
    section: str,
    inputs: dict[str, tuple[Input, ...]],
    everywhere: tuple[State, ...],
    more: dict[str, set[str]],
) -> None:
    said = {(cell.state, cell.given) for cell in cells_of(section, inputs, everywhere)}
    beyond = {row.number for row in table if (row.state, row.input) not in said}
    if table is AGENT:
        beyond -= {row.number for row in table if row.state is S.DISASSOCIATING and row.number != "9.l"}
    assert beyond == set().union(*more.values())


def test_disassociating_state_rows_of_the_agent_equal_those_of_the_manager() -> None:
    """The reference's last row: Disassociating as for the manager."""
    assert table_of("9.2")[-1][:2] == ["Disassociating", "as for the manager"]
    theirs = {row.input: row for row in MANAGER if row.state is S.DISASSOCIATING}
    ours = [row for row in AGENT if row.state is S.DISASSOCIATING]
    # For the reference a verdict on a configuration is a known response, and an AARE has its result.
    for row in ours:
        given = I.RX_AARE if row.input in AARES else row.input
        given = I.RX_RESPONSE_KNOWN if given in (I.CONFIG_ACCEPTED, I.CONFIG_REFUSED) else given
        assert (row.number, row.next) == (theirs[given].number, theirs[given].next)
    assert {row.number for row in ours} == {row.number for row in theirs.values()}


@pytest.mark.parametrize(("section", "inputs"), [("9.1", MANAGER_INPUTS), ("9.2", AGENT_INPUTS)])
def test_every_state_table_row_of_the_reference_is_compared(section: str, inputs: dict[str, tuple[Input, ...]]) -> None:
    assert {row[1] for row in table_of(section)} == set(inputs) | ({*NOT_INPUTS} if section == "9.2" else set())
