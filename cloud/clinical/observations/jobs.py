"""Jobs that move numerics from single rows to rows of a channel and minute, and that keep the partitions of days."""

from cloud.clinical.observations.arrival_days import DayKeeper, dividing_step
from cloud.clinical.observations.minutes.compaction import Compaction
from cloud.clinical.observations.received_batches import RECEIVED_BATCHES
from cloud.clinical.observations.settings import ObservationsSection
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process


def jobs(process: Process) -> Jobs:
    after_days = process.settings.section(ObservationsSection).compact_after_days
    chores = [Chore("observation_days", DayKeeper().work)]
    if after_days:
        chores.append(Chore("numerics_compaction", Compaction(process.supplies[RECEIVED_BATCHES], after_days).step))
    return Jobs(chores=chores, steps=[dividing_step(process.database)])
