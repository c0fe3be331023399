"""Tune Python's garbage collector for the loops of a service that make many objects in a short time."""

import gc

OBJECTS_BETWEEN_COLLECTIONS = 20_000
"""Container objects that are created, and not deleted, before the garbage collector runs. A group of batches of ingest
has some ten thousand, none of which are in a cycle, so with Python's default of 700 it traverses each group fourteen
times, for a twentieth of the processor time of ingest. A claim of jobs has some hundred, with the same share. The
objects in cycles of that many take some megabytes at most."""


def tune_garbage_collector() -> None:
    """Make the garbage collector ignore the objects of the start, and run less often."""
    # Objects of the start live as long as the process. Each group of decoded observations, and each claim of jobs,
    # makes the collector traverse all of them again: full collections cost half of the decoding speed
    # (tests/bench/decode.py).
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
