"""States, inputs and actions of an association, and the row that joins them (reference 20601 §9).

A table is rows of these enum members and nothing else: no functions, no I/O. `machine` looks rows up; `manager` and
`agent` implement the actions. `number` is the standard's number of the transition, so that standard and code can be
compared row by row. Where one rule of the standard covers several states, `rows` writes one row for each.
"""

from collections.abc import Iterable
from enum import Enum, auto
from typing import NamedTuple


class State(Enum):
    """State of an association. The value is the standard's state number, with which a row number begins."""

    DISCONNECTED = 1
    UNASSOCIATED = 2
    ASSOCIATING = 3
    CONFIG_SENDING = 4
    WAITING_APPROVAL = 5
    WAITING_FOR_CONFIG = 6
    CHECKING_CONFIG = 7
    OPERATING = 8
    DISASSOCIATING = 9


class Input(Enum):
    """Input of the machine. RX: the peer sent it. REQ: our own side requests it. The others are results of the checks
    on those."""

    LINK_UP = auto()
    LINK_DOWN = auto()
    TIMEOUT = auto()
    REQ_ASSOCIATE = auto()
    REQ_RELEASE = auto()
    REQ_ABORT = auto()
    RX_AARQ = auto()
    RX_AARQ_KNOWN_CONFIG = auto()
    RX_AARQ_UNKNOWN_CONFIG = auto()
    RX_AARQ_UNACCEPTABLE = auto()
    RX_AARE = auto()
    RX_AARE_ACCEPTED = auto()
    RX_AARE_UNKNOWN_CONFIG = auto()
    RX_AARE_REJECTED = auto()
    RX_RLRQ = auto()
    RX_RLRE = auto()
    RX_ABRT = auto()
    RX_UNREADABLE = auto()
    RX_PRST = auto()
    """Any message, in a state where none is expected."""
    RX_CONFIG = auto()
    """A confirmed configuration report."""
    RX_REPORT = auto()
    """Any other event report, and an unconfirmed configuration report."""
    RX_GET = auto()
    RX_OTHER_REQUEST = auto()
    RX_RESPONSE_KNOWN = auto()
    """rors, roer or rorj whose invoke-id is that of a request of ours."""
    RX_RESPONSE_UNKNOWN = auto()
    CONFIG_ACCEPTED = auto()
    CONFIG_REFUSED = auto()
    CONFIG_UNREADABLE = auto()
    CONFIG_ONCE_TOO_OFTEN = auto()
    CONFIG_LEFT = auto()
    CONFIG_EXHAUSTED = auto()


class Action(Enum):
    """Action of a transition."""

    NOTHING = auto()
    IGNORE = auto()
    LOSE_LINK = auto()
    SEND_AARQ = auto()
    REPEAT_AARQ = auto()
    SEND_AARE_ACCEPTED = auto()
    SEND_AARE_UNKNOWN_CONFIG = auto()
    SEND_AARE_REJECTED = auto()
    SEND_AARE_REJECTED_PERMANENT = auto()
    SEND_RLRQ = auto()
    SEND_RLRQ_NO_MORE_CONFIGURATIONS = auto()
    SEND_RLRE = auto()
    SEND_RLRE_AND_WAIT = auto()
    SEND_ABRT = auto()
    TAKE_ABRT = auto()
    TAKE_ACCEPTANCE = auto()
    TAKE_REJECTION = auto()
    EVALUATE_CONFIG = auto()
    ACCEPT_CONFIG = auto()
    REFUSE_CONFIG = auto()
    REJECT_CONFIG_APDU = auto()
    SEND_CONFIG = auto()
    TAKE_REPORT = auto()
    REFUSE_NO_SUCH_OBJECT = auto()
    REFUSE_OPERATION = auto()
    REFUSE_UNREADABLE = auto()
    ANSWER_GET = auto()
    ANSWER_REQUEST = auto()
    TAKE_RESPONSE = auto()
    FINISH_RELEASE = auto()


class Row(NamedTuple):
    """One transition."""

    number: str
    state: State
    input: Input
    next: State
    action: Action


CONFIGURING = (State.WAITING_FOR_CONFIG, State.CHECKING_CONFIG)
MANAGER_ASSOCIATED = (*CONFIGURING, State.OPERATING)
AGENT_ASSOCIATED = (State.CONFIG_SENDING, State.WAITING_APPROVAL, State.OPERATING)


def rows(number: str, states: Iterable[State], given: Input, following: State | None, action: Action) -> Iterable[Row]:
    """Return the rows of one rule for several states: `number` is the part after the dot, `following` None stays in the
    state."""
    return [Row(f"{state.value}.{number}", state, given, following or state, action) for state in states]
