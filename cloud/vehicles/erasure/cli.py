"""`argus-cloud erasure`: erase an encounter, and list erasures."""

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from cloud.clinical.epcr import ENCOUNTER_EVIDENCE
from cloud.foundation.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.foundation.master_key import load_master_key
from cloud.foundation.moments import write_moment
from cloud.vehicles.custody import ErasureSeals
from cloud.vehicles.erasure.errors import ErasureUnconfirmed
from cloud.vehicles.erasure.model import Erasure, ErasureReason, Phase
from cloud.vehicles.erasure.service import Erasures, Preview

STAYS = (
    "values of other encounters, also those that were sent in the same signed batch",
    "the tombstone of the encounter, its incident, and the entries of the audit trail, which have ids only",
    "events and webhook deliveries with the encounter's id, until their retention period is over",
    "backups and copies, which you must delete yourself",
)
"""Data that an erasure leaves, for the confirmation."""

erasure = typer.Typer(help="Erasure of encounters.", no_args_is_help=True)


def _service(place: Workplace) -> Erasures:
    return Erasures(place.database, place.clock, place.ids, place.supplies[ENCOUNTER_EVIDENCE](place))


def _shown(one: Erasure) -> dict[str, Any]:
    return {
        "id": one.erasure_id,
        "encounter_id": one.encounter_id,
        "reason": one.reason,
        "requested_at": write_moment(one.requested_at_us),
        "requested_by": one.requested_by,
        "phase": one.phase if one.finished_at_us is None else Phase.DONE,
        "finished_at": one.finished_at_us and write_moment(one.finished_at_us),
        "observations": one.observations,
        "changes": one.changes,
        "batches": one.batches,
        "others": one.others,
        "unread": one.unread,
        "quarantined": one.quarantined,
        "replies": one.replies,
        "failure": one.failure,
    }


@erasure.command("encounter")
def erase_encounter(
    context: typer.Context,
    # Not named `encounter`, which only accepts one that exists: an erased one has an error of its own.
    encounter_id: Annotated[str, typer.Argument(help="The encounter's id, enc_….")],
    tenant: TenantOption,
    reason: Annotated[ErasureReason, typer.Option("--reason", help="Why the encounter is erased.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be erased.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm without a prompt.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase a finished encounter: values, waveforms, care record, and the signed batches with any of them. The worker
    does it in the background; see `erasure list`."""
    if dry_run or not yes:
        preview = run(
            context, lambda place: _service(place).preview(place.operator(tenant), encounter_id), settled=True
        )
        if dry_run:
            print_one(_effect(preview), {**asdict(preview), "stays": list(STAYS)}, as_json=as_json)
            return
        if not _is_confirmed(preview):
            typer.echo(ErasureUnconfirmed(f"({_effect(preview)})").sentence, err=True)
            raise typer.Exit(1)

    async def work(place: Workplace) -> Erasure:
        seals = ErasureSeals(load_master_key(place.settings))
        return await _service(place).request(place.operator(tenant), encounter_id, reason, seals)

    begun = run(context, work, settled=True, waveforms=False)
    sentence = f"Erasure {begun.erasure_id} of encounter {encounter_id} has begun. See `argus-cloud erasure list`."
    print_one(sentence, _shown(begun), as_json=as_json)


@erasure.command("list")
def list_erasures(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """List the erasures of a tenant: what was erased, and how far unfinished ones are."""
    found = run(context, lambda place: _service(place).of_tenant(tenant))
    print_rows("Erasures", map(_shown, found), as_json=as_json)


def _effect(preview: Preview) -> str:
    joined = f" (including the reports of the crew: {', '.join(preview.reports)})" if preview.reports else ""
    return (
        f"The erasure of {preview.encounter_id} deletes {preview.observations} values in rows, about "
        f"{preview.packed_observations} blocks of waveforms, {preview.changes} field changes of the care record"
        f"{joined} and {preview.assignments} assignments, with the signed batches that have any of them. What stays: "
        f"{'; '.join(STAYS)}."
    )


def _is_confirmed(preview: Preview) -> bool:
    """Prompt the operator at a terminal for confirmation. Without a terminal nothing is confirmed."""
    return sys.stdin.isatty() and typer.confirm(f"{_effect(preview)} This cannot be undone. Continue?", err=True)
