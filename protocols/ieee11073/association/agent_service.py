"""Interface of an agent's services: its MDS, its scanners, its clock, data requests, a memory of measurements.

An agent is composed of services. A request of the manager (Get, Set, action) goes to each in order until one owns the
object and the operation; one without an owner is refused by the rules of reference 20601 §9.4 (`agent_responses`).
The device's data and actions are values and callables that its owner passes in, so this code implements the protocol
and never the device. No clock: `port.now_s` is the time of the current event.

A service that reports on its own (a segment of a memory) uses `port.confirm`, which keeps one confirmed report in
flight for the whole agent.
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
    """No response, against the standard, as some devices behave."""


Refusal = Refused | Rejected | Silent


@dataclass(frozen=True, slots=True)
class Acted:
    """A completed action. `info` is the action-info-args of the response; `then` runs when the response was sent."""

    info: bytes = b""
    then: Callable[[], None] | None = None


class Confirm(Protocol):
    """Function that sends a confirmed event report after the responses to those before it; see `AgentPort`."""

    def __call__(
        self, handle: int, event_type: EventType, info: bytes, *, to_s: float, done: Callable[[Received], None]
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class AgentPort:
    """Interface of an agent's association to its services.

    `confirm(handle, event_type, event_info, to_s=…, done=…)` sends a confirmed event report after the responses to
    those before it; `done` gets the RORS, ROER or RORJ. A response that does not arrive within `to_s` ends the
    association (row 8.4). During a release nothing is sent; `ended` follows. Otherwise it raises `LocalProtocolError`
    outside Operating, and when too many reports are queued.
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
    """Base of an agent's services. Override the methods of the requests that the service handles. Each of them returns
    None where the object or operation is not its own.

    `get`, `set` and `act` may raise `RemoteProtocolError` on malformed arguments: the association responds with RORJ
    badly-structured-apdu.
    """

    port: AgentPort
    """Set before any other use."""

    request_modes = 0
    """The service's bits of data-req-mode-flags in the AARQ."""
    manager_flows = 0
    """data-req-init-manager-count: limit of concurrent data requests."""

    def start(self, configuration: Configuration) -> None:
        """Start the service: the configuration is agreed and state Operating was entered."""

    def end(self) -> None:
        """Drop the state of the association. It ended, normally or not, and may never have operated."""

    def get(self, handle: int) -> Sequence[AvaType] | Refusal | None:
        """Return all attributes of the object as they are now; the association leaves out those that were not
        requested."""
        return None

    def set(self, handle: int, modifications: Sequence[AttributeModEntry]) -> Sequence[AvaType] | Refusal | None:
        """Modify an object's attributes; return the modified ones with their new values."""
        return None

    def act(self, handle: int, action_type: int, args: bytes) -> Acted | Refusal | None:
        """Perform an action of an object."""
        return None
