"""One thing that an agent answers: its MDS, its scanners, its clock, data requests, a memory of measurements.

An agent is composed of services. A request of the manager (Get, Set, action) goes to each in order until one says that
the object and the operation are its own; what no service owns is refused by the rules of reference 20601 §9.4
(`agent_answers`). A service holds what the device is and does as a value or a callable that its maker gives it, so that
this code decides how a device says things and never what it has to say. No clock: `port.now_s` is the time of what just
happened.

A service that reports on its own (a segment of a memory) does so through `port.confirm`, which keeps one confirmed
report under way at a time for the whole agent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import AttributeModEntry, ErrorValue, EventType, RejectProblem
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.notes import Notes


@dataclass(frozen=True, slots=True)
class Refused:
    """A response ROER. `return_code` is a code of partition 255, which may accompany the error-values 24 to 26 only."""

    error: ErrorValue
    return_code: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A response RORJ."""

    problem: RejectProblem


@dataclass(frozen=True, slots=True)
class Silent:
    """No response, as some devices behave, although each confirmed request has one."""


Refusal = Refused | Rejected | Silent


@dataclass(frozen=True, slots=True)
class Acted:
    """A completed action. `info` is the action-info-args of the response; `then` runs when the response was sent."""

    info: bytes = b""
    then: Callable[[], None] | None = None


class Confirm(Protocol):
    """Function that sends a confirmed event report when those before it are answered; see `AgentPort`."""

    def __call__(
        self, handle: int, event_type: EventType, info: bytes, *, to_s: float, done: Callable[[Received], None]
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class AgentPort:
    """Interface of an agent's association to its services.

    `confirm(handle, event_type, event_info, to_s=…, done=…)` sends a confirmed event report when those before it are
    answered; `done` takes the RORS, ROER or RORJ. An answer that does not come in `to_s` ends the association (row
    8.4). While the association is being left nothing is sent; `ended` follows. Raises `LocalProtocolError` outside
    Operating otherwise, and when too many wait.
    """

    notes: Notes
    emit: Callable[[Event], None]
    confirm: Confirm
    clock: Callable[[], float]

    @property
    def now_s(self) -> float:
        """Monotonic time of the last event of the association."""
        return self.clock()


class AgentService:
    """Base of an agent's services. Override the methods that the service answers. Each answering method returns None
    where the object or operation is not its own.

    `get`, `set` and `act` may raise `RemoteProtocolError` on arguments that break their own form: the association
    answers RORJ badly-structured-apdu.
    """

    port: AgentPort
    """Set before anything else is called."""

    request_modes = 0
    """Its bits of data-req-mode-flags in the AARQ."""
    manager_flows = 0
    """data-req-init-manager-count: how many data requests may run side by side."""

    def start(self, configuration: Configuration) -> None:
        """Start the service: the configuration is agreed and state Operating was entered."""

    def end(self) -> None:
        """Forget the association. It ended, in whatever way, and may never have operated."""

    def get(self, handle: int) -> Sequence[AvaType] | Refusal | None:
        """Return all attributes of the object as they are now; the association leaves out those that were not
        requested."""
        return None

    def set(self, handle: int, modifications: Sequence[AttributeModEntry]) -> Sequence[AvaType] | Refusal | None:
        """Modify an object's attributes; return those that were modified, with their values now."""
        return None

    def act(self, handle: int, action_type: int, args: bytes) -> Acted | Refusal | None:
        """Perform an action of an object."""
        return None
