"""One thing that a manager does with an agent once the configuration stands: reading the MDS, setting the clock, …

A service is told when the association begins and ends to operate, asks through `Requests`, and tells its own events.
Each stands in a file of its own; the manager composes them and knows nothing of what they do.
"""

from protocols.ieee11073.association.requests import Requests
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.identity import DeviceIdentity


class Service:
    """Overrides what it needs to know. Within one call of these a service may ask, tell and note."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    @property
    def deadline_s(self) -> float | None:
        """When `pass_time` has to be called at the latest, on the clock of `now_s`; None: nothing is timed."""
        return None

    def pass_time(self) -> None:
        """Time passed, perhaps not yet to the deadline. Not called outside an association."""

    def start(self, configuration: Configuration) -> None:
        """The configuration stands; state Operating was just entered."""

    def learn_identity(self, identity: DeviceIdentity) -> None:
        """The device said what it is: once an association, after `operating`. A device that withheld it is its system
        id and nothing else. The shell does not know yet."""

    def begin(self) -> None:
        """The shell knows the device and asked for what must come first, such as a right clock: ask now for what this
        service asks by itself. Once an association, after `identified`."""

    def end(self) -> None:
        """The association is over, however it ended, and may never have operated. Everything of it is forgotten."""
