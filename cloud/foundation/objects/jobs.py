"""The sweep of results, in processes with the worker role."""

from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.objects.opening import object_store_of
from cloud.foundation.objects.sweeping import ResultSweeper
from cloud.foundation.process import Process, Role


def jobs(process: Process) -> Jobs:
    objects = object_store_of(process.settings)
    if Role.WORKER not in process.roles or objects is None:
        return Jobs()
    return Jobs(loops=[Loop("results", ResultSweeper(process.database, objects, process.clock).run)])
