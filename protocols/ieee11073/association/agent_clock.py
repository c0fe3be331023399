"""Set-Time and Set-Base-Offset-Time, as an agent answers them (reference 20601 §6, E18 and E19).

Which clock there is, and whether it lets itself be set, is the device's: `set_clock` takes the time, or says how the
request is refused. Whether a manager may ask at all stands in the device's Mds-Time-Info, which is the device's too.

Of Set-Base-Offset-Time only the action's code and the BaseOffsetTime itself are known, the code from a single source:
the argument is taken to begin with the time, and what may follow is not looked at (reference §14).
"""

from collections.abc import Callable

from protocols.device_time import DeviceTime, TimeKind
from protocols.ieee11073.apdu.actions import ActionType, SetBaseOffsetTimeInvoke, SetTimeInvoke
from protocols.ieee11073.apdu.data import ErrorValue
from protocols.ieee11073.association.agent_service import Acted, AgentService, Refusal, Refused
from protocols.ieee11073.mder import decode, read
from protocols.reader import Reader

SetClock = Callable[[DeviceTime], Refusal | None]
"""Sets the device's clock to this time; None: done."""

_MDS = 0


class SettableClock(AgentService):
    """A clock that a manager may set, by the kind of time that it keeps: ABSOLUTE or BASE_OFFSET."""

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
