"""FHIR R4 bundles of encounters, for the record systems of hospitals."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.clinical.fhir.handlers import FhirHandlers
    from cloud.clinical.fhir.resources import EncounterResources, ResourcePage, record_of
    from cloud.clinical.fhir.service import Bundles
    from cloud.clinical.fhir.waveform_resources import BlockRecords, WaveformResources
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    routes=("routes:routes",),
    jobs="jobs:jobs",
    settings={"fhir": "settings:FhirSection"},
)
