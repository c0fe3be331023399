"""`argus-cloud evidence`: list evidence, show its records, and check it."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from cloud.foundation.command import AsJson, TenantOption, Workplace, print_json, print_rows, print_table, run
from cloud.foundation.moments import write_moment
from cloud.foundation.objects import object_store_of
from cloud.work.evidence.check import EvidenceCheck, EvidenceReport
from cloud.work.evidence.errors import EvidenceUnknown
from cloud.work.evidence.model import Evidence, EvidenceKind, EvidenceWithRecords, StoredRecord
from cloud.work.evidence.signers import verify_keys_of
from cloud.work.evidence.store import EvidenceStore

LISTED_MAX = 1000

evidence = typer.Typer(
    help="Evidence: signed records of what was done with encounters and files.", no_args_is_help=True
)

LimitOption = Annotated[int, typer.Option("--limit", min=1, max=LISTED_MAX, help="Maximum rows.")]


@evidence.command("list")
def list_evidence(
    context: typer.Context,
    tenant: TenantOption,
    kind: Annotated[EvidenceKind | None, typer.Option("--kind", help="Only evidence of this kind.")] = None,
    limit: LimitOption = 50,
    as_json: AsJson = False,
) -> None:
    """List the evidence of a tenant, newest first."""

    async def work(place: Workplace) -> Sequence[Evidence]:
        async with place.database.read() as tx:
            return await EvidenceStore().list(tx, place.operator(tenant), kind=kind, count=limit)

    print_rows("Evidence", map(_shown, run(context, work)), as_json=as_json)


@evidence.command("show")
def show_evidence(
    context: typer.Context,
    evidence: Annotated[str, typer.Argument(help="The id of the evidence, evd_….")],
    tenant: TenantOption,
    as_json: AsJson = False,
) -> None:
    """Print the records of evidence in their order, without signatures."""

    async def work(place: Workplace) -> EvidenceWithRecords:
        async with place.database.read() as tx:
            found = await EvidenceStore().transcript_of(tx, tenant, evidence)
        if found is None:
            raise EvidenceUnknown
        return found

    found = run(context, work)
    if as_json:
        records = [dict(one.core_members) for one in found.records]
        print_json({**_shown(found.evidence), "records": records})
        return
    print_table("Evidence", [_shown(found.evidence)])
    print_table("Records", [_record_row(one) for one in found.records])


@evidence.command("check")
def check_evidence(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Verify every record of evidence: its signatures, its place in the chain, its content (of an export, the stored
    file), and the batches of vehicles that it names. Exit code 1 if a record is wrong."""

    async def work(place: Workplace) -> list[EvidenceReport]:
        keys = await verify_keys_of(place, tenant)
        objects = object_store_of(place.settings)
        return [report async for report in EvidenceCheck(place.database, tenant, keys, objects).reports()]

    reports = run(context, work)
    findings = [
        {"evidence": one.evidence_id, "record": one.record_id, "reason": one.reason}
        for report in reports
        for one in report.findings
    ]
    files = [report.file_read for report in reports if report.file_read is not None]
    counts = {
        "evidence": len(reports),
        "records": sum(report.records for report in reports),
        "files_read": sum(files),
        "files_not_stored": len(files) - sum(files),
    }
    if as_json:
        print_json({**counts, "findings": findings})
    else:
        typer.echo(f"Evidence checked: {counts['evidence']}. Records: {counts['records']}.")
        typer.echo(f"Files of exports read: {counts['files_read']}. No longer stored: {counts['files_not_stored']}.")
        print_table("Findings", findings)
    if findings:
        raise typer.Exit(1)


def _shown(one: Evidence) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "subject_id": one.subject_id,
        "organization_id": one.organization_id,
        "secrecy_level": one.secrecy_level.word,
        "created_at": write_moment(one.created_at_us),
    }


def _record_row(one: StoredRecord) -> dict[str, Any]:
    core = one.core_members
    names = ("id", "operation", "actor_id", "actor_kind", "signed_at", "content_hash")
    return {name: core.get(name) for name in names}
