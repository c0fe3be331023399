"""Transcripts of evidence: the two operations under `/v1/evidence/{evidence_id}/provenance`."""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, routes=("routes:routes",))
