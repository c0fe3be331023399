"""The kind of job `graph.compute`: analyses of the graph of incidents, encounters, crews, vehicles and devices, and of
profiles."""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, job_kinds="kinds:KINDS")
