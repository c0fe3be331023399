"""Call data: what a dispatch system knows of a call, in the bodies of requests and as elements of the care record.

They are sent to the vehicle and enter the report there. They are personal data, and no response has them.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cloud.clinical.epcr.errors import CallDataMalformed
from cloud.foundation.errors import Mistake
from cloud.foundation.moments import MomentMalformed, read_moment, write_moment
from cloud.foundation.readable import hidden_character
from protocols.epcr.catalogue import find_element

_ELEMENTS = MappingProxyType(
    {
        "response_number": "call.response_number",
        "reason": "call.reason",
        "priority": "call.priority",
        "cad_record": "call.cad_record",
        "position": "scene.position",
        "street": "scene.street",
        "apartment": "scene.apartment",
        "city": "scene.city",
        "postcode": "scene.postcode",
        "directions": "scene.crossing",
        "received_at": "times.call_received",
        "dispatch_notified_at": "times.dispatch_notified",
        "unit_notified_at": "times.unit_notified",
    }
)
"""The element of the care record that each field states."""
_TIMES = ("received_at", "dispatch_notified_at", "unit_notified_at")
_Text = Annotated[str | None, Field(min_length=1, max_length=255)]
_Time = Annotated[str | None, Field(max_length=64, json_schema_extra={"format": "date-time"})]


class CallData(BaseModel):
    """Facts that the dispatch system knows of the call. They are sent to the vehicle, enter the report there with the
    source `cad`, and are in no response."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    response_number: Annotated[_Text, Field(description="Number of the response of this vehicle (eResponse.04).")] = (
        None
    )
    reason: Annotated[_Text, Field(description="Reason of the call: a code of the NEMSIS list 2301.")] = None
    priority: Annotated[_Text, Field(description="Dispatch priority: a code of the NEMSIS list 2305.")] = None
    cad_record: Annotated[_Text, Field(description="Id of the call in the dispatch system (eDispatch.06).")] = None
    position: Annotated[
        _Text, Field(description="Latitude and longitude of the scene in degrees, such as `52.2297,21.0122`.")
    ] = None
    street: Annotated[_Text, Field(description="Street and number of the scene.")] = None
    apartment: Annotated[_Text, Field(description="Apartment of the scene.")] = None
    city: Annotated[_Text, Field(description="Town of the scene.")] = None
    postcode: Annotated[_Text, Field(description="Post code of the scene.")] = None
    directions: Annotated[_Text, Field(description="Crossing, or directions to the scene.")] = None
    received_at: Annotated[_Time, Field(description="Time at which the call was received (RFC 3339).")] = None
    dispatch_notified_at: Annotated[
        _Time, Field(description="Time at which the dispatcher was notified (RFC 3339).")
    ] = None
    unit_notified_at: Annotated[_Time, Field(description="Time at which the vehicle was notified (RFC 3339).")] = None


def call_values(call: CallData | None) -> dict[str, str]:
    """Return call data as value by element of the care record, times in UTC. Raises `CallDataMalformed`, which names
    the fields and rules, and no value."""
    given: Mapping[str, str] = {} if call is None else call.model_dump(exclude_none=True)
    values: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for name, value in given.items():
        element = find_element(_ELEMENTS[name])
        assert element is not None, "every field has an element of the catalogue"
        written = _written(name, value)
        if written is None or hidden_character(written) is not None or not element.values.permits(written):
            mistakes.append(Mistake(f"is not {element.values.rule}", f"/call/{name}"))
        else:
            values[element.key] = written
    if mistakes:
        raise CallDataMalformed(mistakes=mistakes)
    return values


def _written(name: str, value: str) -> str | None:
    """Return a value as the record writes it, or None for a malformed time."""
    if name not in _TIMES:
        return value.strip()
    try:
        return write_moment(read_moment(value))
    except MomentMalformed:
        return None
