"""States, inputs and actions of an association, and the rows of a state table (reference 20601 §9).

A table has no functions and no I/O: `machine` looks rows up; `manager` and `agent` implement the actions. Each row has
the standard's number of its transition, so that standard and code can be compared row by row.
"""

from collections.abc import Iterable
from enum import Enum, auto
from typing import NamedTuple


class State(Enum):
    """State of an association. The enum value is the standard's number of the state. The numbers of the state's table
    rows begin with it."""

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
    """Input of the state machine; its name begins with its kind. RX: an APDU from the peer, maybe with the result of a
    check. REQ: our own request. CONFIG: a result of checking or offering a configuration."""

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
    """A response (rors, roer, rorj) with the invoke-id of a pending request of our own side."""
    RX_RESPONSE_UNKNOWN = auto()
    CONFIG_ACCEPTED = auto()
    CONFIG_REFUSED = auto()
    CONFIG_UNREADABLE = auto()
    CONFIG_ONCE_TOO_OFTEN = auto()
    CONFIG_LEFT = auto()
    CONFIG_EXHAUSTED = auto()


class Action(Enum):
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
    """One transition of a state table: in `state`, the input `input` causes `action` and the state `next`."""

    number: str
    state: State
    input: Input
    next: State
    action: Action


CONFIGURING = (State.WAITING_FOR_CONFIG, State.CHECKING_CONFIG)
MANAGER_ASSOCIATED = (*CONFIGURING, State.OPERATING)
AGENT_ASSOCIATED = (State.CONFIG_SENDING, State.WAITING_APPROVAL, State.OPERATING)


def rows(number: str, states: Iterable[State], given: Input, following: State | None, action: Action) -> Iterable[Row]:
    """Return a row of the state table for each of `states`. The row number is the state's number, a dot and `number`.
    `following` None: the state does not change."""
    return [Row(f"{state.value}.{number}", state, given, following or state, action) for state in states]
