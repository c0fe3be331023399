"""Transcripts of evidence: keys, signatures, reading and verification."""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__)
