"""Exports: encounters, observations and waveforms of a tenant in one file, as a job (`export.bulk`)."""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, job_kinds="kinds:KINDS")
