"""The check of the resource classes at start-up, in processes that serve requests."""

import asyncio

import structlog

from cloud.clinical.fhir.validation import find_sample_faults
from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.process import Process, Role

log = structlog.get_logger()


async def check_samples(stopping: asyncio.Event) -> None:
    """Compare a sample of each resource class with the classes of `fhir.resources`, once. A fault is logged, and
    bundles are sent nevertheless: a receiver may accept them, and the rest of the API does not depend on them."""
    faults = await asyncio.to_thread(find_sample_faults)
    if faults:
        log.error("fhir.samples_invalid", faults=faults)
    await stopping.wait()


def jobs(process: Process) -> Jobs:
    return Jobs(loops=[Loop("fhir samples", check_samples)] if Role.API in process.roles else [])
