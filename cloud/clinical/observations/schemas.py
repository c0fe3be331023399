"""Bodies of the observation route. Fields of the contract's sample are required, added fields are optional."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cloud.clinical.observations.vocabulary import MDC_CODE_LENGTH_MAX, Flag
from protocols.ucum import TEXT_LENGTH_MAX

MdcCode = Annotated[
    str,
    Field(min_length=1, max_length=MDC_CODE_LENGTH_MAX, description="Reference identifier of ISO/IEEE 11073-10101."),
]
UnitCode = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX, description="UCUM unit, case-sensitive.")]


class ObservationToPost(BaseModel):
    """One measured value."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    mdc_code: MdcCode
    value: Annotated[float, Field(allow_inf_nan=False, description="A finite number in the unit.")]
    unit_code: UnitCode
    observed_at: Annotated[
        str | None,
        Field(
            max_length=64,
            description="Time of the measurement (RFC 3339, with Z or an offset): at most 30 days ago and at most 5 "
            "minutes ahead. Default: now.",
            json_schema_extra={"format": "date-time"},
        ),
    ] = None
    encounter_id: Annotated[
        str | None, Field(min_length=1, max_length=64, description="The encounter of the observation.")
    ] = None


class AcceptedObservation(BaseModel):
    """The stored observation."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(description="The observation, obs_….")]
    device_id: Annotated[str, Field(description="The device.")]
    mdc_code: MdcCode
    value: Annotated[float, Field(description="As sent.")]
    unit_code: UnitCode
    observed_at: Annotated[str | None, Field(description="Time of the measurement, UTC.")] = None
    encounter_id: Annotated[str | None, Field(description="The encounter, if one was given.")] = None
    flags: Annotated[
        list[Flag],
        Field(
            description="`mdc_code_unknown`: the code is not in the nomenclature. `device_class_unchecked`: the code "
            "is known, but not whether a device of this class measures it. `implausible_value`: the value is beyond "
            "physiological bounds. A flagged observation is stored."
        ),
    ] = []
    did_you_mean: Annotated[
        str | None, Field(description="A known code close to an unknown mdc_code; absent when there is none.")
    ] = None
