"""Interface of an agent's services, such as its MDS, scanners, clock, data requests and PM-store.

A request of the manager (Get, Set, action) goes to each service in order, until one handles the object and the
operation. A request that no service handles is refused by the rules of reference 20601 §9.4 (`agent_responses`). The
code that creates a service passes in the device's data and actions as values and callables, so services implement only
the protocol. A service that sends reports on its own uses `port.confirm`, which keeps one confirmed report in flight
for the whole agent.
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
    """Refusal of a request with ROER. `return_code` (partition 255) is allowed only with the error-values 24 to 26."""

    error: ErrorValue
    return_code: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refusal of a request with RORJ."""

    problem: RejectProblem


@dataclass(frozen=True, slots=True)
class Silent:
    """Refusal without any response. It violates the standard, but some devices do it."""


Refusal = Refused | Rejected | Silent


@dataclass(frozen=True, slots=True)
class Acted:
    """A completed action. `info` is the response's action-info-args; `then` is called after the response is sent."""

    info: bytes = b""
    then: Callable[[], None] | None = None


class Confirm(Protocol):
    """Type of `AgentPort.confirm`, which sends a confirmed event report."""

    def __call__(
        self, handle: int, event_type: EventType, info: bytes, *, to_s: float, done: Callable[[Received], None]
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class AgentPort:
    """Interface through which services use the agent's association.

    `confirm(handle, event_type, event_info, to_s=…, done=…)` sends a confirmed event report when all earlier confirmed
    reports have a response, and passes the response (RORS, ROER or RORJ) to `done`. Without a response within `to_s`
    seconds the association ends (20601 row 8.4). During a release the report is dropped, and `AgentService.end`
    follows. In any other state but Operating, or when too many reports are queued, `confirm` raises
    `LocalProtocolError`.
    """

    notes: Notes
    emit: Callable[[Event], None]
    confirm: Confirm
    clock: Callable[[], float]

    @property
    def now_s(self) -> float:
        """Monotonic time in seconds of the event that the association is processing."""
        return self.clock()


class AgentService:
    """Base of an agent's services. `get`, `set` and `act` return None for an object or operation of another service,
    and may raise `RemoteProtocolError` for malformed arguments (response: RORJ badly-structured-apdu)."""

    port: AgentPort
    """Set before any other use."""

    request_modes = 0
    """The service's bits of data-req-mode-flags in the AARQ."""
    manager_flows = 0
    """data-req-init-manager-count: limit of concurrent data requests."""

    def start(self, configuration: Configuration) -> None:
        """Start the service in state Operating, with the agreed configuration."""

    def end(self) -> None:
        """Drop the service's state when an association ends. The association may end before `start` was called."""

    def get(self, handle: int) -> Sequence[AvaType] | Refusal | None:
        """Return all current attributes of the object `handle`. The association then selects the attributes that the
        manager requested."""
        return None

    def set(self, handle: int, modifications: Sequence[AttributeModEntry]) -> Sequence[AvaType] | Refusal | None:
        """Modify attributes of the object `handle`, and return the modified attributes with their new values."""
        return None

    def act(self, handle: int, action_type: int, args: bytes) -> Acted | Refusal | None:
        """Perform an action of the object `handle`. `args` are the encoded action-info-args of the request."""
        return None
