"""Interface of a manager's services, each with one task in Operating, such as reading the MDS or setting the clock.

The manager creates its services, starts and ends them with the association, and does not depend on their tasks. The
services send requests and emit events through `Requests`.
"""

from protocols.ieee11073.association.requests import Requests
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.identity import DeviceIdentity


class Service:
    """Base of a manager's services. A subclass overrides the methods that it needs."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    @property
    def deadline_s(self) -> float | None:
        """Time at which `pass_time` has to be called, on the clock of `now_s`; None: no timer runs."""
        return None

    def pass_time(self) -> None:
        """Act on timeouts that have expired. Call it only in Operating; a call before the deadline does nothing."""

    def start(self, configuration: Configuration) -> None:
        """Start the service in state Operating, with the agreed configuration."""

    def learn_identity(self, identity: DeviceIdentity) -> None:
        """Store the device's identity, which is only a system id if the MDS could not be read. Called once, before
        `begin`."""

    def begin(self) -> None:
        """Send the service's own requests. Called once, after `learn_identity`. If the MDS was read, `begin` is called
        only after the caller has acknowledged the identity, so that the caller's requests, such as a clock setting,
        come first."""

    def end(self) -> None:
        """Drop the service's state when an association ends. The association may end before `start` was called."""
