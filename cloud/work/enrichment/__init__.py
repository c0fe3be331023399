"""The kind of job `intelligence.enrich.bulk`: the enrichment of many profiles by connectors."""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, job_kinds="kinds:KINDS")
