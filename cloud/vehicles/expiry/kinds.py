"""The kinds of data that come from vehicles or describe patients, with the defaults of their retention periods."""

from cloud.clinical.observations import observations
from cloud.foundation.retention import HoldScope, InTurn, Kind
from cloud.vehicles.expiry.care_rows import CareRows
from cloud.vehicles.expiry.imported_changes import ImportedChanges
from cloud.vehicles.expiry.lane_data import Envelopes, UnpackedRows, held_events, held_rows
from cloud.vehicles.expiry.lane_sweep import LaneSweep
from cloud.vehicles.expiry.minute_days import MinuteDays
from cloud.vehicles.expiry.other_rows import ContentKeys, PostedRows
from cloud.vehicles.expiry.packed_runs import PackedRuns
from cloud.vehicles.ingest import gateway_events
from protocols.uplink.lanes import Lane

_NARROW = frozenset({HoldScope.GATEWAY, HoldScope.DEVICE, HoldScope.ENCOUNTER, HoldScope.INCIDENT})
_NOT_WAVEFORM = (Lane.EVENT, Lane.EPCR, Lane.NUMERIC)
TEN_YEARS = 10 * 366
TWENTY_YEARS = 20 * 366
"""Medical documentation is kept for 20 years in Poland, the longest general period of the countries that we know."""

KINDS = (
    Kind(
        name="numerics",
        meaning="measured values, from vehicles and from applications",
        default_days=TEN_YEARS,
        holds=_NARROW,
        sweep=lambda: InTurn(
            LaneSweep(UnpackedRows("numerics", observations, held_rows), *_NOT_WAVEFORM), PostedRows(), MinuteDays()
        ),
    ),
    Kind(
        name="waveforms",
        meaning="blocks of waveforms with their signed batches",
        default_days=90,
        holds=_NARROW,
        # Rows first: a row without its batch looks like a loss.
        sweep=lambda: InTurn(
            LaneSweep(UnpackedRows("waveforms", observations, held_rows), Lane.WAVEFORM),
            LaneSweep(Envelopes(), Lane.WAVEFORM),
            LaneSweep(PackedRuns(), Lane.WAVEFORM),
        ),
    ),
    Kind(
        name="batches",
        meaning="signed batches except those of waveforms; without them, values can no longer be compared with them",
        default_days=90,
        # Long enough to compare an alarm with its batch, and to know the age of values until they are compacted.
        days_least=14,
        holds=_NARROW,
        sweep=lambda: InTurn(LaneSweep(Envelopes(), *_NOT_WAVEFORM), LaneSweep(PackedRuns(), *_NOT_WAVEFORM)),
    ),
    Kind(
        name="vehicle_events",
        meaning="events of gateways and their devices",
        default_days=TEN_YEARS,
        holds=_NARROW,
        sweep=lambda: LaneSweep(UnpackedRows("vehicle_events", gateway_events, held_events), Lane.EVENT),
    ),
    Kind(
        name="care_records",
        meaning="field changes of care records",
        default_days=TWENTY_YEARS,
        holds=_NARROW,
        sweep=lambda: InTurn(LaneSweep(CareRows(), Lane.EPCR), ImportedChanges()),
    ),
    Kind(
        name="content_keys",
        meaning="digests that recognise measurements which a device sends again from its memory",
        default_days=TEN_YEARS,
        days_least=365,  # a meter may keep a year of measurements, and sends them all to a new vehicle
        sweep=ContentKeys,
    ),
)
