"""Routes of the data of an encounter."""

from cloud.clinical.encounter_data.handlers import NDJSON, EncounterDataHandlers
from cloud.clinical.encounter_data.schemas import (
    EncounterObservation,
    ObservationInterval,
    ObservationQuery,
    TimelineEntry,
    TimelineQuery,
    WaveformBlock,
    WaveformQuery,
    WaveformRange,
)
from cloud.foundation.http import Host, Parts, Route, Scopes

EPCR_READ = Scopes.any_of("argus:epcr:read", "argus:epcr:write")
_ENCOUNTER = "/api/v1/epcr/encounters/{encounterId}"
_OBSERVATION = {
    "device_id": "dev_1",
    "mdc_code": "MDC_PULS_OXIM_SAT_O2",
    "unit_code": "%",
    "handle": 1,
    "person": None,
    "supplemental_types": [],
    "value": 98.0,
    "observed_at": "2026-03-24T10:00:00.250000Z",
    "uncertainty_ms": 20,
    "received_at": "2026-03-24T10:00:00.312000Z",
    "device_time": "2026-03-24T11:00:00.250",
    "from_memory": False,
    "wall_synchronised": True,
    "status": [],
    "flags": [],
    "origin": "vehicle",
    "id": None,
    "provenance": {"gateway": "gw_1", "epoch": "32d2251ffd32a1c3", "lane": "numeric", "sequence": 17, "index": 0},
}
_BLOCK = {
    **{name: _OBSERVATION[name] for name in ("device_id", "person", "supplemental_types", "status", "flags")},
    "mdc_code": "MDC_ECG_ELEC_POTL_II",
    "unit_code": "mV",
    "handle": 20,
    "observed_at": "2026-03-24T10:00:00.250000Z",
    "uncertainty_ms": 20,
    "sample_period_s": 0.002,
    "slope": 0.00125,
    "offset": 0.0,
    "follows": True,
    "samples": [12, 14, 19, 31],
}


def routes(parts: Parts) -> tuple[Route, ...]:
    h = EncounterDataHandlers(parts)
    return (_observations(h), _waveforms(h), _timeline(h))


def _observations(h: EncounterDataHandlers) -> Route:
    return Route(
        method="GET",
        path=f"{_ENCOUNTER}/observations",
        handler=h.observations,
        host=Host.API,
        scopes=EPCR_READ,
        needs_organization=True,
        query=ObservationQuery,
        response=list[EncounterObservation | ObservationInterval],
        other_forms={NDJSON: {"type": "string"}},
        responses={
            200: "A page of observations in the order of time, or of summaries by interval. The Link header leads "
            "to the next page, also where this one is short or empty. As `application/x-ndjson`: all of them.",
            304: "Not modified.",
            404: "Encounter not found.",
        },
        errors=(
            "moment_malformed",
            "encounter_unknown",
            "tenant_streams_taken",
            "too_many_streams",
        ),
        operation_id="listEncounterObservations",
        summary="List the observations of an encounter",
        description="The numerics, enumerations and compound values of the devices that were assigned to the "
        "encounter, and the observations that were posted to it, without waveforms. With `interval_s`, the least, "
        "mean, greatest and last value of each device and code in each interval.",
        tag="ePCR",
        response_example=[_OBSERVATION],
    )


def _waveforms(h: EncounterDataHandlers) -> Route:
    return Route(
        method="GET",
        path=f"{_ENCOUNTER}/waveforms",
        handler=h.waveforms,
        host=Host.API,
        scopes=EPCR_READ,
        needs_organization=True,
        query=WaveformQuery,
        response=list[WaveformBlock | WaveformRange],
        responses={
            200: "A page of blocks of samples in the order of time, or the least and greatest samples of each "
            "channel by interval. The Link header leads to the next page.",
            304: "Not modified.",
            404: "Encounter not found.",
        },
        errors=(
            "moment_malformed",
            "encounter_unknown",
        ),
        operation_id="listEncounterWaveforms",
        summary="List the waveforms of an encounter",
        description="The waveforms of the devices that were assigned to the encounter: the samples as the device "
        "sent them or, with `points`, the least and greatest sample in each interval, for a plot.",
        tag="ePCR",
        response_example=[_BLOCK],
    )


def _timeline(h: EncounterDataHandlers) -> Route:
    return Route(
        method="GET",
        path=f"{_ENCOUNTER}/timeline",
        handler=h.timeline,
        host=Host.API,
        scopes=EPCR_READ,
        needs_organization=True,
        query=TimelineQuery,
        response=list[TimelineEntry],
        responses={
            200: "A page of the timeline. The Link header leads to the next page.",
            304: "Not modified.",
            404: "Encounter not found.",
            422: "The care record has too many field changes to be read at once.",
        },
        errors=(
            "moment_malformed",
            "encounter_unknown",
            "care_record_too_large",
        ),
        operation_id="listEncounterTimeline",
        summary="List the timeline of an encounter",
        description="What happened, in the order of time: assignments of devices, de-identified procedures and "
        "medications, connections and deviations of the devices, gaps in the record, and events of the "
        "vehicle's clock.",
        tag="ePCR",
        response_example=[
            {
                "at": "2026-03-24T10:00:00.000000Z",
                "type": "device.connected",
                "device_id": "dev_1",
                "entry": None,
                "void": False,
                "elements": [],
                "fields": {"unverified": False},
            }
        ],
    )
