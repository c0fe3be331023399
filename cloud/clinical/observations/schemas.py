"""The bodies of posting an observation. What the contract's sample shows is required, what we add is optional."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cloud.clinical.observations.vocabulary import MDC_CODE_LENGTH_MAX, Flag
from protocols.ucum import TEXT_LENGTH_MAX

MdcCode = Annotated[
    str,
    Field(min_length=1, max_length=MDC_CODE_LENGTH_MAX, description="Reference identifier of ISO/IEEE 11073-10101."),
]
UnitCode = Annotated[
    str, Field(min_length=1, max_length=TEXT_LENGTH_MAX, description="Unit as UCUM writes it, case-sensitive.")
]


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
            description="When it was measured (RFC 3339, with an offset or Z): at most 30 days ago, at most 5 minutes "
            "ahead. Without it: now.",
            json_schema_extra={"format": "date-time"},
        ),
    ] = None
    encounter_id: Annotated[
        str | None, Field(min_length=1, max_length=64, description="The encounter that the value belongs to.")
    ] = None


class AcceptedObservation(BaseModel):
    """The observation as it was stored."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(description="The observation, obs_….")]
    device_id: Annotated[str, Field(description="The device that measured it.")]
    mdc_code: MdcCode
    value: Annotated[float, Field(description="As it was sent.")]
    unit_code: UnitCode
    observed_at: Annotated[str | None, Field(description="When it was measured, UTC.")] = None
    encounter_id: Annotated[str | None, Field(description="The encounter that was named.")] = None
    flags: Annotated[
        list[Flag],
        Field(
            description="`mdc_code_unknown`: stored, but not in our nomenclature. `device_class_unchecked`: known, but "
            "we cannot tell whether such a device measures it."
        ),
    ] = []
