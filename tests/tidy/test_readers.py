"""A request that reads what vehicles send first lets the rows of acknowledged batches be written."""

from functools import cache

from tests.tidy.readers import Calls, Definition

TABLES = {
    Definition(module, name)
    for module, names in {
        "cloud.clinical.observations.tables": ("observations", "observation_minutes", "lane_days"),
        "cloud.clinical.waveforms.tables": ("waveform_objects", "waveform_runs", "waveform_sources"),
        "cloud.vehicles.custody.tables": ("batches",),
    }.items()
    for name in names
}
"""The tables whose rows are written some time after a live batch was acknowledged."""
SETTLE = Definition("cloud.foundation.arrivals", "SETTLE")
OTHERS = {
    Definition("cloud.clinical.observations.handlers", "ObservationHandlers.post"): "it adds rows that a client sends",
}
"""Handlers that reach these tables, and read nothing of what vehicles send."""


@cache
def calls() -> Calls:
    return Calls()


def readers() -> set[Definition]:
    """Return the handlers of requests and the resolvers of GraphQL that reach one of the tables."""
    return {
        handler
        for handler in calls().functions("Request", "GraphContext")
        if calls().reached(handler, but=SETTLE) & TABLES
    }


def settles(handler: Definition) -> bool:
    """Return whether a handler, or a method of its class that it reaches, waits for the rows."""
    mine = f"{handler.name.partition('.')[0]}."
    methods = (one for one in calls().reached(handler, but=SETTLE) if one.module == handler.module)
    return any(calls().uses(one, "_settle") for one in methods if one.name.startswith(mine))


def test_each_handler_that_reads_what_vehicles_send_waits_for_the_rows_of_acknowledged_batches() -> None:
    lacking = sorted(one for one in readers() - OTHERS.keys() if not settles(one))
    assert lacking == [], "call the function of parts.supplies[SETTLE](parts) first (cloud/foundation/arrivals.py)"


def test_handlers_that_read_what_vehicles_send_are_found_through_services_stores_and_needs() -> None:
    names = {one.name for one in readers()}
    assert names >= {"EncounterDataHandlers.observations", "EpcrHandlers.summary", "FhirHandlers.handover"}
    assert readers() >= OTHERS.keys()
