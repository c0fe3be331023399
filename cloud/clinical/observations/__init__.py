"""The measurements of devices, as rows that are written once and read in the order of time."""

from typing import TYPE_CHECKING

from cloud.clinical.observations import tables as tables
from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.clinical.observations.arrival_days import AHEAD_LEAST, days_ahead, may_add_days
    from cloud.clinical.observations.clocks import KnownClock, clocks_of_gateway, clocks_of_sources, learn_clocks
    from cloud.clinical.observations.counting import count_in_encounter
    from cloud.clinical.observations.encounter_arrivals import EncounterArrivals
    from cloud.clinical.observations.encounter_channels import DeviceChannel
    from cloud.clinical.observations.encounter_sources import EncounterSource, is_mixed, sources_of_encounter
    from cloud.clinical.observations.encounter_walk import (
        BEFORE_ALL,
        EncounterRow,
        EncounterWalks,
        Selection,
        open_walks,
    )
    from cloud.clinical.observations.erased_minutes import MinuteErasure
    from cloud.clinical.observations.erased_values import DeviceInterval, ErasedValues, carriers_of_run
    from cloud.clinical.observations.held import BATCH_MARGIN_US, HeldObservations, held_observations, held_runs
    from cloud.clinical.observations.minutes.arriving import ArrivingMinutes
    from cloud.clinical.observations.minutes.batch_rows import minute_rows_of_batches, minute_rows_of_lane
    from cloud.clinical.observations.minutes.body import MinuteValue
    from cloud.clinical.observations.minutes.reading import TIME_MAX_US, TIME_MIN_US
    from cloud.clinical.observations.minutes.rows import values_of
    from cloud.clinical.observations.minutes.store import first_day_of_minute_rows
    from cloud.clinical.observations.numbering import Numbers
    from cloud.clinical.observations.packed_walk import PackedWalk, Place
    from cloud.clinical.observations.posted import new_sequence, public_id, sequence_at, time_of_sequence
    from cloud.clinical.observations.reading import ObservationReader, ReadObservation
    from cloud.clinical.observations.received_batches import RECEIVED_BATCHES, ReceivedBatches
    from cloud.clinical.observations.rows import ObservationColumns, Unstorable, columns_of, time_of
    from cloud.clinical.observations.settings import ObservationsSection
    from cloud.clinical.observations.store import (
        Added,
        CarriedBatch,
        Carrier,
        ObservationWriter,
        channel_columns,
        keys_held,
    )
    from cloud.clinical.observations.tables import (
        API_LANE_ID,
        SYNCHRONISED_CLOCK_ID,
        UNDATED,
        lane_days,
        observation_channels,
        observation_clocks,
        observation_minutes,
        observation_sources,
        observations,
        stored_measurements,
    )
    from cloud.clinical.observations.values import value_of
    from cloud.clinical.observations.vocabulary import flags_of_posted
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    tables="tables",
    routes=("routes:routes",),
    jobs="jobs:jobs",
    settings={"observations": "settings:ObservationsSection"},
    commands={"observations": "cli:observations"},
)
