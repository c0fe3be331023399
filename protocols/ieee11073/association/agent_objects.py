"""Services for the objects of every agent: its MDS, and the scanners of its configuration (reference 20601 §6 and §8).

A scanner is disabled when an association begins. The manager enables it by a Set of its Operational-State, its only
settable attribute. `ScannerSwitched` notifies the device, which decides whether to measure and report.
"""

from collections.abc import Callable, Sequence

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import AttributeModEntry, ErrorValue
from protocols.ieee11073.association.agent_events import ScannerSwitched
from protocols.ieee11073.association.agent_service import AgentService, Refusal, Refused
from protocols.ieee11073.association.scanners import DISABLED, ENABLED, REPLACE, SCANNERS
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.channels import RELATIVE_TIME_S
from protocols.ieee11073.dim.configuration import Configuration, attributes_of

MdsAttributes = Callable[[], Sequence[AvaType]]
"""Returns the current attributes of the MDS."""

_MDS = 0
_SET_TO_DEFAULT = 3
"""modify-operator; a scanner's default is disabled."""


class Mds(AgentService):
    """Service for a Get of the MDS, the object of the device itself."""

    def __init__(self, attributes: MdsAttributes) -> None:
        self._attributes = attributes

    def get(self, handle: int) -> Sequence[AvaType] | None:
        return self._attributes() if handle == _MDS else None


class Scanners(AgentService):
    """Service for the scanners of an agent. With `start_enabled` all scanners are enabled when an association begins,
    which violates the standard."""

    def __init__(self, *, start_enabled: bool = False) -> None:
        self._start_enabled = start_enabled
        self._objects: dict[int, dict[int, bytes]] = {}
        self._enabled: dict[int, bool] = {}

    def enabled(self, handle: int) -> bool:
        """Return whether the scanner `handle` may report. Return False if the object `handle` is not a scanner."""
        return self._enabled.get(handle, False)

    def confirm_timeout_s(self, handle: int) -> float | None:
        data = self._objects.get(handle, {}).get(Attribute.CONFIRM_TIMEOUT)
        return None if data is None else int.from_bytes(data, "big") * RELATIVE_TIME_S

    def start(self, configuration: Configuration) -> None:
        self._objects = {
            item.obj_handle: attributes_of(item.attributes)
            for item in configuration.objects
            if item.obj_class in SCANNERS
        }
        self._enabled = dict.fromkeys(self._objects, self._start_enabled)

    def end(self) -> None:
        self._objects.clear()
        self._enabled.clear()

    def get(self, handle: int) -> Sequence[AvaType] | None:
        attributes = self._objects.get(handle)
        if attributes is None:
            return None
        now = {
            Attribute.HANDLE: handle.to_bytes(2, "big"),
            **attributes,
            Attribute.OPERATIONAL_STATE: self._state(handle).attribute_value,
        }
        return tuple(AvaType(attribute, value) for attribute, value in now.items())

    def set(self, handle: int, modifications: Sequence[AttributeModEntry]) -> Sequence[AvaType] | Refusal | None:
        if handle not in self._objects:
            return None
        wanted = self._enabled[handle]
        for modification in modifications:
            target = _wanted(modification)
            if target is None:
                return Refused(ErrorValue.NOT_ALLOWED_BY_OBJECT)
            wanted = target
        if wanted != self._enabled[handle]:
            self._enabled[handle] = wanted
            self.port.emit(ScannerSwitched(handle, wanted))
        return (self._state(handle),) if modifications else ()

    def _state(self, handle: int) -> AvaType:
        state = ENABLED if self._enabled[handle] else DISABLED
        return AvaType(Attribute.OPERATIONAL_STATE, state.to_bytes(2, "big"))


def _wanted(modification: AttributeModEntry) -> bool | None:
    """Return the state that a Set requests for a scanner: True for enabled, False for disabled, None for a change that
    is not allowed. Raises `RemoteProtocolError` for an Operational-State of the wrong length."""
    if modification.attribute.attribute_id != Attribute.OPERATIONAL_STATE:
        return None
    if modification.modify_operator == _SET_TO_DEFAULT:
        return False
    if modification.modify_operator != REPLACE:
        return None
    value = modification.attribute.attribute_value
    if len(value) != 2:
        raise RemoteProtocolError(f"an Operational-State has {len(value)} bytes", clause="20601 §8.6 scanners")
    return {DISABLED: False, ENABLED: True}.get(int.from_bytes(value, "big"))
