"""Supply each slice with the implementations that it needs from slices that it may not import.

A room (a group of slices) imports only lower rooms, and declares a `Need` for a part of a higher room.
"""

from collections.abc import Collection, Sequence

from cloud.access.apps import SERVICE_TOKENS
from cloud.access.oauth import tokens_of
from cloud.access.retention import OBJECT_BYTES
from cloud.clinical.assignments import find_moves
from cloud.clinical.devices import VEHICLE_EVENTS
from cloud.clinical.epcr import (
    BUNDLE_RESPONSE,
    COUNT_OBSERVATIONS,
    ENCOUNTER_EVIDENCE,
    FIND_MOVES,
    MISSION_OUTBOX,
    SETTLE_ENCOUNTER,
)
from cloud.clinical.fhir import FhirHandlers
from cloud.clinical.observations import RECEIVED_BATCHES, EncounterArrivals, ReceivedBatches, count_in_encounter
from cloud.clinical.waveforms import WaveformIndex
from cloud.foundation.arrivals import SETTLE, Installation
from cloud.foundation.checks import CHECKS, Check
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.events import SUBSCRIBERS
from cloud.foundation.ids import Ids
from cloud.foundation.master_key import load_master_key
from cloud.foundation.process import Process, Role
from cloud.foundation.settings import Settings
from cloud.foundation.supplies import Supplies
from cloud.partners.webhooks import callback_queue, subscribers_of
from cloud.vehicles.custody import batches, lanes
from cloud.vehicles.fleet import END_CONNECTION, RIGHTS_SENDER
from cloud.vehicles.ingest import EventReader, RightsLink, broker_address, end_connection, settle_of
from cloud.vehicles.missions import MissionRows, mission_bell_of
from cloud.work.evidence import encounter_evidence
from cloud.work.jobs import CALLBACKS


def make_process(
    settings: Settings,
    database: Database,
    clock: Clock,
    ids: Ids,
    roles: Collection[Role] = frozenset(Role),
    checks: Sequence[Check] = (),
) -> Process:
    """Make the `Process` that is passed to every slice (capability); `checks` are its readiness checks."""
    return Process(
        settings=settings,
        roles=roles,
        database=database,
        clock=clock,
        ids=ids,
        master=lambda: load_master_key(settings),
        supplies=make_supplies(checks),
    )


def make_supplies(checks: Sequence[Check] = ()) -> Supplies:
    """Return the implementation of every declared `Need`; `checks` are the readiness checks of this process."""
    supplies = Supplies()
    supplies.supply(SERVICE_TOKENS, lambda parts: parts.shared(tokens_of).service_token)
    supplies.supply(COUNT_OBSERVATIONS, count_in_encounter)
    supplies.supply(FIND_MOVES, find_moves)
    supplies.supply(BUNDLE_RESPONSE, lambda parts: parts.shared(FhirHandlers.of).bundle)
    supplies.supply(RECEIVED_BATCHES, ReceivedBatches(lanes, batches))
    supplies.supply(VEHICLE_EVENTS, EventReader())
    supplies.supply(OBJECT_BYTES, WaveformIndex().size_bytes)
    supplies.supply(END_CONNECTION, end_connection)
    supplies.supply(RIGHTS_SENDER, lambda mqtt: RightsLink(broker_address(mqtt)))
    supplies.supply(CHECKS, checks)
    supplies.supply(SETTLE, settle_of)
    supplies.supply(
        SETTLE_ENCOUNTER, lambda parts: EncounterArrivals(parts.database, parts.supplies[SETTLE](parts)).settle
    )
    supplies.supply(SUBSCRIBERS, subscribers_of)
    supplies.supply(CALLBACKS, callback_queue)
    supplies.supply(ENCOUNTER_EVIDENCE, encounter_evidence)
    supplies.supply(MISSION_OUTBOX, _mission_outbox)
    return supplies


def _mission_outbox(installation: Installation) -> MissionRows:
    """Make the writer of missions. It wakes the sender of its own process; a console command has none."""
    bell = installation.shared(mission_bell_of) if isinstance(installation, Process) else None
    return MissionRows(installation.clock, bell)
