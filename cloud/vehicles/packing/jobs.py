"""The loop that packs batches of numerics, in processes with the worker role."""

from cloud.clinical.observations import ObservationsSection
from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.objects import object_store_of
from cloud.foundation.process import Process, Role
from cloud.vehicles.packing.packer import BatchPacker


def jobs(process: Process) -> Jobs:
    after_days = process.settings.section(ObservationsSection).compact_after_days
    objects = object_store_of(process.settings)
    if Role.WORKER not in process.roles or objects is None or not after_days:
        return Jobs()
    packer = BatchPacker(process.database, objects, process.clock, process.ids, after_days)
    return Jobs(loops=[Loop("packed numerics", packer.run)])
