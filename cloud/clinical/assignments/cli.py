"""`argus-cloud assignments`: assign devices to encounters."""

from typing import Annotated, Any

import typer

from cloud.clinical.assignments.model import Assignment
from cloud.clinical.assignments.service import AssignmentService
from cloud.clinical.epcr import ENCOUNTER_EVIDENCE
from cloud.foundation.command import (
    AsJson,
    TenantOption,
    Workplace,
    or_exit,
    print_one,
    print_rows,
    run,
)
from cloud.foundation.moments import read_moment, write_moment

assignments = typer.Typer(help="Assignments of devices to encounters.", no_args_is_help=True)

DEVICE_ID_PREFIX = "dev_"
"""The beginning of every device id. Other text is a system id."""

AssignmentId = Annotated[str, typer.Argument(help="The assignment's id, asg_….")]


def _service(place: Workplace) -> AssignmentService:
    return AssignmentService(place.database, place.clock, place.ids, place.supplies[ENCOUNTER_EVIDENCE](place))


def _moment(text: str | None) -> int | None:
    return None if text is None else or_exit(lambda: read_moment(text))


def _shown(assignment: Assignment) -> dict[str, Any]:
    return {
        "id": assignment.id,
        "device_id": assignment.device_id,
        "encounter_id": assignment.encounter_id,
        "from": write_moment(assignment.from_us),
        "until": write_moment(assignment.until_us),
        "assigned_by": assignment.assigned_by,
        "voided_at": write_moment(assignment.voided_at_us),
        "replaces": assignment.replaces,
    }


@assignments.command("add")
def add_assignment(
    context: typer.Context,
    tenant: TenantOption,
    device: Annotated[str, typer.Option("--device", help="The device: dev_… or its system id.")],
    encounter: Annotated[str, typer.Option("--encounter", help="The encounter's id, enc_….")],
    begin: Annotated[
        str | None, typer.Option("--from", help="Start, such as 2026-03-24T10:00:00Z. Default: now.")
    ] = None,
    end: Annotated[str | None, typer.Option("--until", help="End. Default: open.")] = None,
    as_json: AsJson = False,
) -> None:
    """Assign a device to an encounter from a time on."""
    from_us, until_us = _moment(begin), _moment(end)

    async def work(place: Workplace) -> Assignment:
        service, actor = _service(place), place.operator(tenant)
        device_id = device
        if not device.startswith(DEVICE_ID_PREFIX):
            device_id = await service.device_with_system_id(actor, device, encounter_id=encounter)
        return await service.assign(
            actor, device_id=device_id, encounter_id=encounter, from_us=from_us, until_us=until_us
        )

    made = run(context, work)
    print_one(f"Assignment {made.id} added.", _shown(made), as_json=as_json)


@assignments.command("close")
def close_assignment(
    context: typer.Context,
    assignment: AssignmentId,
    tenant: TenantOption,
    at: Annotated[str | None, typer.Option("--at", help="End. Default: now.")] = None,
    as_json: AsJson = False,
) -> None:
    """End an open assignment."""
    at_us = _moment(at)
    closed = run(context, lambda place: _service(place).close(place.operator(tenant), assignment, at_us=at_us))
    print_one(f"Assignment {closed.id} closed.", _shown(closed), as_json=as_json)


@assignments.command("move")
def move_assignment(
    context: typer.Context,
    assignment: AssignmentId,
    tenant: TenantOption,
    encounter: Annotated[str, typer.Option("--encounter", help="The correct encounter, enc_….")],
    begin: Annotated[
        str | None, typer.Option("--from", help="Start of what is moved. Default: that of the assignment.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--until", help="End of what is moved. Default: that of the assignment.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Move an assignment, or a part of its interval, to another encounter. The previous assignment stays in the list.
    No value is changed, and `epcr show` lists the move in the history of both encounters."""
    from_us, until_us = _moment(begin), _moment(end)
    moved = run(
        context,
        lambda place: _service(place).move(
            place.operator(tenant), assignment, encounter_id=encounter, from_us=from_us, until_us=until_us
        ),
    )
    print_one(f"Assignment {moved.id} replaces {moved.replaces}.", _shown(moved), as_json=as_json)


@assignments.command("list")
def list_assignments(
    context: typer.Context,
    tenant: TenantOption,
    device: Annotated[str | None, typer.Option("--device", help="Limit to this device.")] = None,
    encounter: Annotated[str | None, typer.Option("--encounter", help="Limit to this encounter.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the assignments of a tenant, including replaced ones."""
    found = run(
        context,
        lambda place: _service(place).list(place.operator(tenant), device_id=device, encounter_id=encounter),
    )
    print_rows("Assignments", map(_shown, found), as_json=as_json)
