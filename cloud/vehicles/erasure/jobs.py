"""The loop that erases, in processes with the worker role."""

from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.objects import object_store_of
from cloud.foundation.process import Process, Role
from cloud.vehicles.erasure.eraser import Eraser
from cloud.vehicles.erasure.place import ErasingPlace


def jobs(process: Process) -> Jobs:
    if Role.WORKER not in process.roles:
        return Jobs()
    objects = object_store_of(process.settings)
    place = ErasingPlace(process.database, process.clock, process.ids, process.master, objects)
    return Jobs(loops=[Loop("erasures", Eraser(place).run)])
