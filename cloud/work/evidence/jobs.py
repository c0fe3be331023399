"""The work that references the batches of vehicles, and begins the evidence of earlier encounters."""

from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.process import Process, Role
from cloud.work.evidence.encounters import encounter_evidence
from cloud.work.evidence.existing import existing_step
from cloud.work.evidence.following import Following
from cloud.work.evidence.signers import recorder_of


def jobs(process: Process) -> Jobs:
    following = Following(process.database, process.clock, recorder_of(process))
    loops = [Loop("evidence of vehicles", following.run)] if Role.WORKER in process.roles else []
    return Jobs(loops=loops, steps=[existing_step(encounter_evidence(process))])
