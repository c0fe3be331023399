"""The actions Set-Time and Set-Base-Offset-Time in an agent (reference 20601 §6, examples E18 and E19).

The callback `set_clock` sets the device's clock or returns a refusal. The device's Mds-Time-Info states whether a
manager may set the clock. The argument of Set-Base-Offset-Time is assumed to begin with the time; further bytes are
ignored (reference 20601 §14).
"""

from collections.abc import Callable

from protocols.device_time import DeviceTime, TimeKind
from protocols.ieee11073.apdu.actions import ActionType, SetBaseOffsetTimeInvoke, SetTimeInvoke
from protocols.ieee11073.apdu.data import ErrorValue
from protocols.ieee11073.association.agent_service import Acted, AgentService, Refusal, Refused
from protocols.ieee11073.mder import decode, read
from protocols.reader import Reader

SetClock = Callable[[DeviceTime], Refusal | None]
"""Sets the device's clock to this time; returns None on success."""

_MDS = 0


class SettableClock(AgentService):
    """Service for a clock that a manager may set. `kind` is ABSOLUTE or BASE_OFFSET."""

    def __init__(self, set_clock: SetClock, kind: TimeKind = TimeKind.ABSOLUTE) -> None:
        self._set_clock = set_clock
        self._action = ActionType.SET_BASE_OFFSET_TIME if kind is TimeKind.BASE_OFFSET else ActionType.SET_TIME

    def act(self, handle: int, action_type: int, args: bytes) -> Acted | Refusal | None:
        if handle != _MDS or action_type != self._action:
            return None
        if self._action is ActionType.SET_TIME:
            time = DeviceTime(TimeKind.ABSOLUTE, decode(SetTimeInvoke, args).date_time)
        else:
            argument = read(SetBaseOffsetTimeInvoke, Reader(args, clause="20601 §6 Set-Base-Offset-Time"))
            time = DeviceTime(TimeKind.BASE_OFFSET, argument.base_offset_time)
        if time.local_us() is None:
            return Refused(ErrorValue.NOT_ALLOWED_BY_OBJECT)
        return self._set_clock(time) or Acted()
