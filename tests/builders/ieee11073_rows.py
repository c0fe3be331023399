"""Test cases for the rows of the state tables in IEEE 11073-20601: a state, an input, the next state, the events and
the response.

A case names its row by number and input, because one number of the standard covers several inputs. `ran` runs the case
on a real association whose table records look-ups, so a test can check that the named row was used.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from protocols.deviation import Deviation
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.agent_events import ConfigurationRequested
from protocols.ieee11073.association.events import Aborted, Associated, ConfigurationAgreed, Event, Rejected
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import ReportReceived
from protocols.ieee11073.association.states import Input, Row, State

AnyAssociation = ManagerAssociation | AgentAssociation
Do = bytes | Callable[[Any], list[Event]]
"""The input: bytes from the peer, or a function that calls the association, for an action of our side or a timeout."""


class Story(NamedTuple):
    """A test case for one row of a state table.

    `begin` creates an association in the state `before`; `do` is the input. `told` are the expected events in the words
    of `event_text`; `answer` is every byte that must be sent.
    """

    number: str
    given: Input
    begin: Callable[[], AnyAssociation]
    before: State
    do: Do
    after: State
    answer: bytes
    told: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.number}-{self.given.name.lower()}"


class Watched(dict[tuple[State, Input], Row]):
    """A state table that appends each row to the list `used` when the row is looked up."""

    def __init__(self, rows: dict[tuple[State, Input], Row]) -> None:
        super().__init__(rows)
        self.used: list[Row] = []

    def __getitem__(self, key: tuple[State, Input]) -> Row:
        row = super().__getitem__(key)
        self.used.append(row)
        return row


class Ran(NamedTuple):
    """The outcome of a test case: the states, the rows that were looked up, the sent bytes, and the events in words."""

    before: State
    rows: list[Row]
    after: State
    answer: bytes
    told: tuple[str, ...]


NOW_S = 1.0
"""The time of every input; associations are created at 0 s."""


def watched(association: AnyAssociation) -> Watched:
    """Replace the association's state table by a table that records its look-ups, and return that table."""
    table = Watched(association._rows)
    association._rows = table
    return table


def ran(story: Story) -> Ran:
    """Run a test case on a new association; return its states, the rows used, the sent bytes and the events."""
    association = story.begin()
    association.to_send()
    before, table = association.state, watched(association)
    do: Callable[[Any], list[Event]]
    do = (lambda one: one.receive(story.do, NOW_S)) if isinstance(story.do, bytes) else story.do
    events = do(association)
    told = tuple(event_text(event) for event in events)
    return Ran(before, table.used, association.state, association.to_send(), told)


def event_text(event: Event) -> str:
    """Describe an event in a few words, for comparison with `Story.told`."""
    match event:
        case Aborted(reason=reason, by_us=by_us):
            return f"aborted {int(reason)} by {'us' if by_us else 'the peer'}"
        case Deviation(key=key):
            return f"odd {key or event.sentence}"
        case Rejected(reason=reason):
            return f"rejected {reason.name.lower()}"
        case Associated(configuration_known=known):
            return "associated" if known else "associated, configuration unknown"
        case ConfigurationAgreed(learned=learned):
            return "configuration learned" if learned else "configuration agreed"
        case ConfigurationRequested():
            return "configuration asked"
        case ReportReceived(observations=observations, confirmed=confirmed):
            return f"{len(observations)} observations, {'confirmed' if confirmed else 'unconfirmed'}"
        case _:
            return type(event).__name__


def keys(stories: Iterable[Story]) -> set[tuple[str, State, Input]]:
    """Return (number, state, input) of each row that the test cases name."""
    return {(story.number, story.before, story.given) for story in stories}


def rows_of(table: Sequence[Row]) -> set[tuple[str, State, Input]]:
    """Return (number, state, input) of each row of a state table."""
    return {(row.number, row.state, row.input) for row in table}
