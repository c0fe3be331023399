"""Interface of a manager's services. A service does one task in state Operating, such as reading the MDS or setting the
clock.

The manager starts and ends its services with the association. Services send requests and emit events through
`Requests`. The manager creates the services and does not depend on what they do.
"""

from protocols.ieee11073.association.requests import Requests
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.identity import DeviceIdentity


class Service:
    """Base of a manager's services. A subclass overrides the methods that it needs; each may send requests, emit events
    and add notes."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    @property
    def deadline_s(self) -> float | None:
        """Time at which `pass_time` has to be called, on the clock of `now_s`; None: no timer runs."""
        return None

    def pass_time(self) -> None:
        """Process the passage of time. It may be called before the deadline, but only in Operating."""

    def start(self, configuration: Configuration) -> None:
        """Start the service in state Operating, with the agreed configuration."""

    def learn_identity(self, identity: DeviceIdentity) -> None:
        """Store the device's identity. Called once in an association, after `start` and before the caller has
        acknowledged the identity. A device that did not return its MDS attributes has only a system id."""

    def begin(self) -> None:
        """Send the service's own requests, such as enabling scanners. Called once in an association, after
        `learn_identity` and, if the device returned its MDS attributes, after the caller has acknowledged them. By then
        the caller may have sent requests that must come first, such as a clock setting."""

    def end(self) -> None:
        """Drop the state of the association, which has been released, aborted or lost. It may have ended before
        `start`."""
