"""The work that keeps the sums of indicators up to date."""

from cloud.clinical.acqi.keeping import ScoreKeeper
from cloud.clinical.acqi.marking import marking_step
from cloud.clinical.acqi.summing import summing_step
from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.process import Process, Role


def jobs(process: Process) -> Jobs:
    loops = [Loop("quality indicators", ScoreKeeper(process.database).run)] if Role.WORKER in process.roles else []
    return Jobs(loops=loops, steps=[marking_step(), summing_step()])
