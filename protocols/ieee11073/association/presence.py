"""Check whether a device still responds: a Get of the MDS, which every agent supports (reference 20601 §9.1).

A line may be dead without either end noticing. The standard has no keep-alive, and silence is no fault of a
thermometer, so the caller checks only after an expected message did not arrive. A device that sends any response is
present and stays associated. One that does not ends the association by the standard's own time-out for a Get (row 8.4),
as after its first Get.
"""

from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.data import GetArgument
from protocols.ieee11073.association.mds_reading import GET_RESPONSES
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.association.requests import Requests
from protocols.ieee11073.association.service import Service


class Presence(Service):
    """Service with the command `check`."""

    def __init__(self, requests: Requests, to_get_s: float) -> None:
        super().__init__(requests)
        self._to_get_s = to_get_s

    def check(self, *, now_s: float) -> None:
        """Send a Get. No event follows a response; `Aborted` follows a timeout.

        Raises `LocalProtocolError` unless the association operates, and when too many requests are queued.
        """
        self._requests.set_now(now_s)
        self._requests.enqueue(
            MessageTag.GET, GetArgument(0, ()), answers=GET_RESPONSES, to_s=self._to_get_s, done=self._take_response
        )

    def _take_response(self, received: Received) -> None:
        """Ignore the response: the device is present, and its attributes were read when it associated."""
