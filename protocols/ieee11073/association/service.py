"""Interface of a manager's services: one task in Operating, such as reading the MDS or setting the clock.

The manager starts and ends its services with the association; they send requests and emit events through `Requests`.
Each has a file of its own; the manager composes them and does not depend on what they do.
"""

from protocols.ieee11073.association.requests import Requests
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.identity import DeviceIdentity


class Service:
    """Base of a manager's services. Override the hooks you need; each may send requests, emit events and add notes."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    @property
    def deadline_s(self) -> float | None:
        """Time by which `pass_time` has to be called, on the clock of `now_s`; None: no timer runs."""
        return None

    def pass_time(self) -> None:
        """Process the passage of time, perhaps before the deadline. Not called outside an association."""

    def start(self, configuration: Configuration) -> None:
        """Start the service: the configuration is agreed and state Operating was entered."""

    def learn_identity(self, identity: DeviceIdentity) -> None:
        """Store the device's identity; called once in an association, after `start`. A device that withheld it has only
        its system id. The caller does not know it yet."""

    def begin(self) -> None:
        """Send the service's own requests: the caller knows the device and has sent the requests that must come first,
        such as a clock setting. Called once in an association, after `learn_identity`."""

    def end(self) -> None:
        """Drop the state of the association. It ended, normally or not, and may never have operated."""
