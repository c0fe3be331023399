"""Imports: devices, profiles, encounters and sanctions lists from a client's file, as a job (`import.bulk`)."""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, job_kinds="kinds:KINDS", routes=("routes:routes",))
