"""The measurements and events of one encounter, as integrators read them."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.clinical.encounter_data.observation_columns import OBSERVATION_COLUMNS, ObservationTable
    from cloud.clinical.encounter_data.observations import EncounterObservations, RowPage
    from cloud.clinical.encounter_data.page import Page
    from cloud.clinical.encounter_data.selection import Wanted
    from cloud.clinical.encounter_data.waveform_blocks import Block, WaveformBlocks
    from cloud.clinical.encounter_data.waveform_samples import WaveformSamples
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(package=__name__, data_schemas="schemas:DATA_SCHEMAS", routes=("routes:routes",))
