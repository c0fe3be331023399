"""The work that references the batches of vehicles."""

from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.process import Process, Role
from cloud.work.evidence.following import Following
from cloud.work.evidence.signers import recorder_of


def jobs(process: Process) -> Jobs:
    if Role.WORKER not in process.roles:
        return Jobs()
    following = Following(process.database, process.clock, recorder_of(process))
    return Jobs(loops=[Loop("evidence of vehicles", following.run)])
