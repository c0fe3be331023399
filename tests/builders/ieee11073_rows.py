"""Rows of the state tables as stories: the state of an association, an input, the next state, events and responses.

A story names its row by number and input, because one number of the standard covers several inputs. `ran` plays it on a
real association, whose table is watched, so that the row that a test names is the row that ran.
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
"""Bytes from the peer, or an action of our own side or of the clock."""


class Story(NamedTuple):
    """One row of a state table. `told` are the events as `saying` writes them; `answer` is every byte that is sent."""

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
    """A table of rows that remembers which rows were looked up."""

    def __init__(self, rows: dict[tuple[State, Input], Row]) -> None:
        super().__init__(rows)
        self.used: list[Row] = []

    def __getitem__(self, key: tuple[State, Input]) -> Row:
        row = super().__getitem__(key)
        self.used.append(row)
        return row


class Ran(NamedTuple):
    """The result of a story."""

    before: State
    rows: list[Row]
    after: State
    answer: bytes
    told: tuple[str, ...]


NOW_S = 1.0
"""The time of every input; the associations are made at second 0."""


def watched(association: AnyAssociation) -> Watched:
    """Replace the association's table by a watched one."""
    table = Watched(association._rows)
    association._rows = table
    return table


def ran(story: Story) -> Ran:
    """Play a story from its beginning; return the states, the rows, the events and the sent bytes."""
    association = story.begin()
    association.to_send()
    before, table = association.state, watched(association)
    do: Callable[[Any], list[Event]]
    do = (lambda one: one.receive(story.do, NOW_S)) if isinstance(story.do, bytes) else story.do
    events = do(association)
    told = tuple(event_text(event) for event in events)
    return Ran(before, table.used, association.state, association.to_send(), told)


def event_text(event: Event) -> str:
    """Return an event in a few words."""
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
    """Return number, state and input of the rows that stories name."""
    return {(story.number, story.before, story.given) for story in stories}


def rows_of(table: Sequence[Row]) -> set[tuple[str, State, Input]]:
    """Return number, state and input of the rows of a table."""
    return {(row.number, row.state, row.input) for row in table}
