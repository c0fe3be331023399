"""Exports: encounters, observations and waveforms of a tenant in one file, as a job (`export.bulk`)."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.work.exports.schemas import PUBLIC_FORMATS, ExportData, ExportFormat
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(package=__name__, job_kinds="kinds:KINDS", jobs="erased_reports:jobs")
