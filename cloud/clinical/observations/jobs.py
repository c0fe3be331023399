"""Periodic job that moves numerics from single rows to rows of a channel and minute."""

from cloud.clinical.observations.minutes.compaction import Compaction
from cloud.clinical.observations.received_batches import RECEIVED_BATCHES
from cloud.clinical.observations.settings import ObservationsSection
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process


def jobs(process: Process) -> Jobs:
    after_days = process.settings.section(ObservationsSection).compact_after_days
    if not after_days:
        return Jobs()
    return Jobs(chores=[Chore("numerics_compaction", Compaction(process.supplies[RECEIVED_BATCHES], after_days).step)])
