"""Verify the stored custody: the chains, and the rows that were made of the batches."""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, commands={"custody": "cli:custody"})
