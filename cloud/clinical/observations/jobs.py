"""Jobs that move numerics from single rows to rows of a channel and minute, merge these rows, and keep the partitions
of days."""

from cloud.clinical.observations.arrival_days import DayKeeper, dividing_step
from cloud.clinical.observations.minutes.compaction import Compaction
from cloud.clinical.observations.minutes.merging import MinuteMerging
from cloud.clinical.observations.minutes.rewriting import DayRewriter
from cloud.clinical.observations.received_batches import RECEIVED_BATCHES
from cloud.clinical.observations.settings import ObservationsSection
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.process import Process, Role


def jobs(process: Process) -> Jobs:
    after_days = process.settings.section(ObservationsSection).compact_after_days
    loops: list[Loop] = []
    chores = [Chore("observation_days", DayKeeper().work)]
    if after_days:
        received = process.supplies[RECEIVED_BATCHES]
        chores.append(Chore("numerics_compaction", Compaction(received, after_days).step))
        chores.append(Chore("numerics_merging", MinuteMerging(received, after_days).step))
        if Role.WORKER in process.roles:
            loops.append(Loop("minute days", DayRewriter(process.database).run))
    return Jobs(loops=loops, chores=chores, steps=[dividing_step(process.database)])
