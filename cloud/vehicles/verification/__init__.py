"""Verify the stored chain of custody, and the rows that were unpacked from the batches."""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, jobs="unpack_step:jobs", commands={"custody": "cli:custody"})
