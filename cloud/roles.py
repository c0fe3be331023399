"""What a process of the cloud does. They meet in the database alone, so they may be one process or many."""

from enum import StrEnum


class Role(StrEnum):
    """All of it, unless `serve --only` says otherwise."""

    API = "api"  # the four hosts
    INGEST = "ingest"  # batches from the gateways
    WORKER = "worker"  # what follows from events
