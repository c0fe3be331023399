"""Devices and encounters, with their measurements and their FHIR bundle."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from argus_sdk import types
from argus_sdk.api import segment
from argus_sdk.operations.group import Group

FHIR = "application/fhir+json"


class Devices(Group):
    """The devices of the organisation."""

    def list(self, *, vehicle_id: str | None = None, limit: int | None = None) -> Iterator[types.EnrolledDevice]:
        """Yield the devices, all or those of a vehicle. `limit` is the size of a page."""
        return self._api.pages("/api/v1/devices", {"vehicle_id": vehicle_id, "limit": limit})

    def enrol(self, wanted: types.DeviceEnrolment) -> types.EnrolledDevice:
        """Enrol a device. A repetition with the same serial number returns the same device, so it may be sent again."""
        found = self._api.request("POST", "/api/v1/devices/enrol", body=wanted, is_repeatable=True)
        return cast(types.EnrolledDevice, found)

    def post_observation(
        self, device_id: str, observation: types.ObservationToPost, *, idempotency_key: str | None = None
    ) -> types.AcceptedObservation:
        """Store a measurement. `flags` of the response lists doubts about it."""
        path = f"/api/v1/devices/{segment(device_id)}/observations"
        found = self._api.request("POST", path, body=observation, idempotency_key=idempotency_key)
        return cast(types.AcceptedObservation, found)


class Encounters(Group):
    """The encounters of the organisation, without patient data."""

    def list(
        self,
        *,
        vehicle_id: str | None = None,
        cad_incident_id: str | None = None,
        status: types.EncounterStatus | None = None,
        since: str | None = None,
        limit: int | None = None,
    ) -> Iterator[types.ListedEncounter]:
        """Yield encounters in the order of their creation. `since` is a time (RFC 3339)."""
        query = {
            "vehicle_id": vehicle_id,
            "cad_incident_id": cad_incident_id,
            "status": status,
            "since": since,
            "limit": limit,
        }
        return self._api.pages("/api/v1/epcr/encounters", query)

    def begin(self, wanted: types.EncounterToBegin, *, idempotency_key: str | None = None) -> types.EncounterBegun:
        """Create an encounter."""
        found = self._api.request("POST", "/api/v1/epcr/encounters", body=wanted, idempotency_key=idempotency_key)
        return cast(types.EncounterBegun, found)

    def read(self, encounter_id: str) -> types.EncounterPartnerSummary:
        """Return the summary of an encounter."""
        return cast(types.EncounterPartnerSummary, self._api.request("GET", _path(encounter_id)))

    def list_observations(
        self,
        encounter_id: str,
        *,
        device_id: str | None = None,
        mdc_code: str | None = None,
        since: str | None = None,
        until: str | None = None,
        interval_s: int | None = None,
        limit: int | None = None,
    ) -> Iterator[types.EncounterObservation | types.ObservationInterval]:
        """Yield the observations of an encounter, or with `interval_s` a summary of each interval. `mdc_code` is one
        code or several with commas."""
        query = {
            "device_id": device_id,
            "mdc_code": mdc_code,
            "since": since,
            "until": until,
            "interval_s": interval_s,
            "limit": limit,
        }
        return self._api.pages(_path(encounter_id, "observations"), query)

    def list_waveforms(
        self,
        encounter_id: str,
        *,
        device_id: str | None = None,
        mdc_code: str | None = None,
        since: str | None = None,
        until: str | None = None,
        points: int | None = None,
        limit: int | None = None,
    ) -> Iterator[types.WaveformBlock | types.WaveformRange]:
        """Yield blocks of samples, or with `points` the least and the greatest sample of each interval."""
        query = {
            "device_id": device_id,
            "mdc_code": mdc_code,
            "since": since,
            "until": until,
            "points": points,
            "limit": limit,
        }
        return self._api.pages(_path(encounter_id, "waveforms"), query)

    def list_timeline(
        self, encounter_id: str, *, since: str | None = None, until: str | None = None, limit: int | None = None
    ) -> Iterator[types.TimelineEntry]:
        """Yield what happened in an encounter, in the order of time."""
        query = {"since": since, "until": until, "limit": limit}
        return self._api.pages(_path(encounter_id, "timeline"), query)

    def fhir_parts(self, encounter_id: str) -> Iterator[bytes]:
        """Yield the parts of the FHIR R4 bundle of an encounter as bytes. Post each one unchanged to a FHIR server, in
        this order."""
        return self._api.parts(_path(encounter_id, "fhir-bundle"), FHIR)

    def download_fhir(self, encounter_id: str, folder: Path) -> tuple[Path, ...]:
        """Write the FHIR R4 bundle of an encounter to a folder, one file for each part, and return the files in order.

        The files appear when all parts are complete. Post each one unchanged to a FHIR server, in this order.
        """
        return tuple(self._api.download_parts(_path(encounter_id, "fhir-bundle"), folder, segment(encounter_id), FHIR))


def _path(encounter_id: str, part: str = "") -> str:
    whole = f"/api/v1/epcr/encounters/{segment(encounter_id)}"
    return f"{whole}/{part}" if part else whole
