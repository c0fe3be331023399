"""The sweep of orphans, in processes with the worker role."""

from cloud.clinical.waveforms.sweeping import OrphanSweeper
from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.objects import object_store_of
from cloud.foundation.process import Process, Role


def jobs(process: Process) -> Jobs:
    objects = object_store_of(process.settings)
    if Role.WORKER not in process.roles or objects is None:
        return Jobs()
    return Jobs(loops=[Loop("waveform orphans", OrphanSweeper(process.database, objects, process.clock).run)])
