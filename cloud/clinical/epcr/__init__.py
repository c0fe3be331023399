"""Encounters, their dispatch, their crews and their care records."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import IdKind, Scope, Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.clinical.epcr.arrivals import SETTLE_ENCOUNTER
    from cloud.clinical.epcr.bundle_response import BUNDLE_RESPONSE
    from cloud.clinical.epcr.care_log import CHANGES_READ_MAX, IMPORTS_LANE_ID, CareLog, ReceivedChanges, change_columns
    from cloud.clinical.epcr.changed import ChangedEncounters, Mark
    from cloud.clinical.epcr.crew import CrewRegister
    from cloud.clinical.epcr.errors import (
        CadIncidentMalformed,
        CareRecordTooLarge,
        CrewMemberUnknown,
        EncounterTaken,
        EncounterUnknown,
        EncounterVehicleUnknown,
    )
    from cloud.clinical.epcr.evidence import (
        ENCOUNTER_EVIDENCE,
        ENCOUNTER_KIND,
        EncounterEvidence,
        evidence_id_of,
        evidence_id_of_encounter,
    )
    from cloud.clinical.epcr.identified import IDENTIFIED_READ, IdentifiedReads, PurposeOfUse
    from cloud.clinical.epcr.joins import EncounterLogs, JoinedReport, Joins, encounters_joined_to
    from cloud.clinical.epcr.listed import listed_document
    from cloud.clinical.epcr.mission import Missions
    from cloud.clinical.epcr.mission_outbox import MISSION_OUTBOX
    from cloud.clinical.epcr.model import (
        CareModel,
        CrewMember,
        Dispatch,
        Encounter,
        MissionChange,
        MovedInterval,
    )
    from cloud.clinical.epcr.record_cli import record_commands
    from cloud.clinical.epcr.records import FIND_MOVES, CareRecords
    from cloud.clinical.epcr.schemas import EncounterToBegin
    from cloud.clinical.epcr.service import COUNT_OBSERVATIONS, Epcr
    from cloud.clinical.epcr.store import EncounterFilter, Encounters
    from cloud.clinical.epcr.tables import care_changes, encounter_crew, encounters, erased_encounters
    from cloud.clinical.epcr.visible_records import VisibleRecords, signing_of_lanes
else:
    __getattr__ = lazy_exports(__name__)

IDENTIFIED = "argus:epcr:identified"
"""Scope of the identified hand-over, purpose of use TREAT (contract A-097). Only entitled tenants have it."""

SLICE = Slice(
    package=__name__,
    data_schemas="schemas:DATA_SCHEMAS",
    ids={"encounter": IdKind("encounter", "encounters")},
    events="event_types:EVENTS",
    scopes=(
        Scope(
            "argus:epcr:read",
            "Read encounters and their FHIR bundles",
            "Odczyt interwencji medycznych i ich pakietów FHIR",
        ),
        Scope(
            "argus:epcr:write",
            "Create encounters and amend patient care records",
            "Tworzenie interwencji i uzupełnianie dokumentacji pacjenta",
            "argus:epcr:read",
        ),
        Scope(
            IDENTIFIED,
            "Read care records with the patient's identity, for treatment",
            "Odczyt dokumentacji z danymi pacjenta, w celu leczenia",
            entitled=True,
        ),
    ),
    tags={"ePCR": "Electronic patient care records: encounters as partners see them."},
    tables="tables",
    graph="graph:GRAPH",
    routes=("list_routes:routes", "routes:routes", "mission_routes:routes"),
    # The group `epcr` is declared by `cloud.clinical.nemsis`, which adds its commands to `record_commands`.
    commands={"crew": "crew_cli:crew", "encounters": "cli:encounters"},
)
