"""Queries and bodies of the routes that read the data of an encounter."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cloud.clinical.encounter_data.intervals import INTERVAL_S_MAX
from cloud.foundation.http import Cursor, DataSchema, MomentText, Paged, Query, limit_up_to, whole_up_to

OBSERVATIONS_MAX = 1_000
"""Rows of a page of observations: about half a megabyte, which is written in a few milliseconds."""
OBSERVATIONS_DEFAULT = 200
SAMPLES_MAX = 200_000
"""Samples of a page: a megabyte of JSON, half a minute of a twelve-lead ECG."""
SAMPLES_DEFAULT = 50_000
POINTS_MAX = 4_000
"""Intervals of an envelope: as many as the widest screen has columns."""
CODES_MAX = 16
"""Codes of one filter: more than a monitor's screen shows."""


class Format(StrEnum):
    """The form of a response with observations."""

    JSON = "json"
    NDJSON = "ndjson"


def _codes(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


_CODE = Annotated[str, Field(min_length=1, max_length=128, pattern="^[A-Za-z0-9_:]+$")]
Codes = Annotated[
    tuple[_CODE, ...],
    BeforeValidator(_codes, json_schema_input_type=Annotated[str, Field(pattern="^[A-Za-z0-9_:]+(,[A-Za-z0-9_:]+)*$")]),
    Field(min_length=1, max_length=CODES_MAX),
]


class _DataQuery(Query):
    """Filters that all data of an encounter have."""

    cursor: Cursor = None
    device_id: Annotated[
        str | None,
        Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$", description="Filter by device, dev_…."),
    ] = None
    mdc_code: Annotated[
        Codes | None, Field(description="Filter by ISO/IEEE 11073-10101 codes, separated by commas.")
    ] = None
    since: Annotated[MomentText | None, Field(description="From this time on.")] = None
    until: Annotated[MomentText | None, Field(description="Before this time.")] = None


class ObservationQuery(_DataQuery):
    """Filters and form of the observations of an encounter."""

    limit: Annotated[
        int, limit_up_to(OBSERVATIONS_MAX), Field(description=f"Rows of a page, at most {OBSERVATIONS_MAX}.")
    ] = OBSERVATIONS_DEFAULT
    interval_s: Annotated[
        Annotated[int, whole_up_to(INTERVAL_S_MAX)] | None,
        Field(description="Summarise the numerics of each interval of so many seconds."),
    ] = None
    format: Annotated[
        Format | None,
        Field(description="`ndjson`: all rows as one stream, one JSON object a line. Default: by `Accept`."),
    ] = None


class WaveformQuery(_DataQuery):
    """Filters and form of the waveforms of an encounter."""

    limit: Annotated[
        int,
        limit_up_to(SAMPLES_MAX),
        Field(description=f"Samples of a page, at most {SAMPLES_MAX}. It has no effect with `points`."),
    ] = SAMPLES_DEFAULT
    points: Annotated[
        Annotated[int, whole_up_to(POINTS_MAX)] | None,
        Field(description="The least and greatest sample in at most so many intervals, instead of the samples."),
    ] = None


class TimelineQuery(Paged):
    """Filters of the timeline of an encounter."""

    since: Annotated[MomentText | None, Field(description="From this time on.")] = None
    until: Annotated[MomentText | None, Field(description="Before this time.")] = None


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class Provenance(_Shown):
    """The signed batch of a vehicle in which an observation arrived. These five fields identify the observation."""

    gateway: Annotated[str, Field(description="The gateway in the vehicle.")]
    epoch: Annotated[str, Field(description="The life of the gateway's store.")]
    lane: Annotated[str, Field(description="The numbered sequence of batches.")]
    sequence: Annotated[int, Field(description="The batch in its lane.")]
    index: Annotated[int, Field(description="The observation in its batch.")]


class _Measured(_Shown):
    device_id: Annotated[str, Field(description="The device, dev_….")]
    mdc_code: Annotated[str, Field(description="The ISO/IEEE 11073-10101 code; `partition:code` without a name.")]
    unit_code: Annotated[str | None, Field(description="The UCUM unit; null: none, or unknown.")] = None
    handle: Annotated[int | None, Field(description="The object in the device; null for a posted observation.")] = None
    person: Annotated[int | None, Field(description="The device's own number of the measured person.")] = None
    supplemental_types: Annotated[list[str], Field(description="Further codes, such as the body site.")] = []


class EncounterObservation(_Measured):
    """An observation of an encounter."""

    value: Annotated[
        Any,
        Field(
            description="A number; an object for a compound, by component; a code, or bits as a number; NaN, NRes, "
            "+INF or -INF; null where the device sent a text, which is withheld (flag `text_withheld`)."
        ),
    ] = None
    observed_at: Annotated[str, Field(description="Time of the measurement, UTC, corrected.")]
    uncertainty_ms: Annotated[int | None, Field(description="Greatest error of `observed_at`; null: unknown.")] = None
    received_at: Annotated[
        str, Field(description="Reception at the gateway by its clock; of a posted one, at the cloud.")
    ]
    device_time: Annotated[str | None, Field(description="The device's clock as sent, never corrected.")] = None
    from_memory: Annotated[bool, Field(description="Measured earlier and read from the device's memory.")] = False
    wall_synchronised: Annotated[
        bool | None, Field(description="Whether the gateway's clock was right at reception; null: unknown.")
    ] = None
    status: Annotated[list[str], Field(description="The device's own measurement status; empty: valid.")] = []
    flags: Annotated[list[str], Field(description="Doubts about the value; empty: none.")] = []
    origin: Annotated[Literal["vehicle", "api"], Field(description="How it arrived.")]
    id: Annotated[str | None, Field(description="The id of a posted observation, obs_….")] = None
    provenance: Annotated[Provenance | None, Field(description="The batch of a vehicle's observation.")] = None


_from = Field(alias="from", description="Beginning of the interval, a multiple of its length since 1970, UTC.")


class ObservationInterval(_Measured):
    """The numerics of one device, code and unit in one interval. A component of a compound value is a series of its
    own."""

    from_: Annotated[str, _from]
    until: Annotated[str, Field(description="End of the interval (excluded).")]
    count: Annotated[int, Field(ge=0, description="Number of summarised values.")]
    min: Annotated[float | None, Field(description="The least value; null without values.")] = None
    mean: Annotated[float | None, Field(description="The mean of the values.")] = None
    max: Annotated[float | None, Field(description="The greatest value.")] = None
    last: Annotated[float | None, Field(description="The latest value.")] = None
    last_observed_at: Annotated[str | None, Field(description="Time of the latest value.")] = None
    left_out: Annotated[
        int,
        Field(
            ge=0,
            description="Number of values that are not summarised: special values, implausible ones, and those whose "
            "status is invalid, not available, calibration, test or demonstration data.",
        ),
    ]


class _Waveform(_Measured):
    sample_period_s: Annotated[float, Field(description="Seconds from one sample to the next.")]
    slope: Annotated[float, Field(description="Physical value = slope × sample + offset, in `unit_code`.")]
    offset: Annotated[float, Field(description="See `slope`.")]


class WaveformBlock(_Waveform):
    """The samples of one channel that a device sent at once."""

    observed_at: Annotated[str, Field(description="Time of the first sample, UTC, corrected.")]
    uncertainty_ms: Annotated[int | None, Field(description="Greatest error of `observed_at`; null: unknown.")] = None
    follows: Annotated[
        bool | None,
        Field(
            description="Whether the block before it in its channel ends where this one begins; false: a gap is before "
            "it; null: it is the first of its channel in this page."
        ),
    ] = None
    status: Annotated[list[str], Field(description="The device's own measurement status; empty: valid.")] = []
    flags: Annotated[list[str], Field(description="Doubts about the waveform; empty: none.")] = []
    samples: Annotated[list[int], Field(description="The integers that the device sent.")]


class WaveformRange(_Waveform):
    """The least and the greatest sample of one channel in each interval."""

    from_: Annotated[str, Field(alias="from", description="Beginning of the first interval of this page, UTC.")]
    interval_s: Annotated[int, Field(ge=1, description="Seconds of an interval.")]
    min: Annotated[list[int | None], Field(description="The least sample of each interval; null: a gap.")]
    max: Annotated[list[int | None], Field(description="The greatest sample of each interval; null: a gap.")]


class TimelineElement(_Shown):
    """A statement about one element of the care record."""

    key: Annotated[str, Field(description="The element of the catalogue.")]
    value: Annotated[str | None, Field(description="The value; null: none was stated.")] = None
    or_more: Annotated[bool, Field(description="The value is the least one that may be true.")] = False
    negative: Annotated[str | None, Field(description="A pertinent negative.")] = None
    not_recorded: Annotated[str | None, Field(description="The reason for a missing value.")] = None
    contradicts: Annotated[bool, Field(description="It stands against the statement of another author.")] = False


class TimelineEntry(_Shown):
    """One item of the timeline of an encounter."""

    at: Annotated[str, Field(description="Time, UTC. Of an event in the vehicle, by the gateway's clock.")]
    type: Annotated[
        str,
        Field(
            description="`encounter.created`, `device.assigned`, `device.released`, `procedure`, `medication`, or the "
            "name of an event in the vehicle, such as `device.connected` or `gap.recorded`."
        ),
    ]
    device_id: Annotated[str | None, Field(description="The device that it is about, dev_….")] = None
    entry: Annotated[str | None, Field(description="Pseudonym of the entry in the care record.")] = None
    void: Annotated[bool, Field(description="The entry of the care record is declared wrong.")] = False
    elements: Annotated[list[TimelineElement], Field(description="The content of the entry.")] = []
    fields: Annotated[
        dict[str, str | int | float | bool | None], Field(description="Facts about an event in the vehicle.")
    ] = {}


DATA_SCHEMAS = (
    DataSchema(
        id="argus.observation.v1",
        title="Observation of an encounter",
        model=EncounterObservation | ObservationInterval,
        operations=("GET /api/v1/epcr/encounters/{encounterId}/observations",),
    ),
    DataSchema(
        id="argus.waveform.v1",
        title="Waveform of an encounter",
        model=WaveformBlock | WaveformRange,
        operations=("GET /api/v1/epcr/encounters/{encounterId}/waveforms",),
    ),
    DataSchema(
        id="argus.timeline-entry.v1",
        title="Timeline entry of an encounter",
        model=TimelineEntry,
        operations=("GET /api/v1/epcr/encounters/{encounterId}/timeline",),
    ),
)
