"""`argus-cloud epcr export` and `epcr import`: care records as NEMSIS reports.

The other commands of the group are those of `cloud.clinical.epcr`.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cloud.clinical.epcr import ENCOUNTER_EVIDENCE, record_commands
from cloud.clinical.nemsis.export import ReportExport
from cloud.foundation.command import AsJson, TenantOption, or_exit, print_rows, run
from protocols.nemsis.problem import Omission

epcr = record_commands

XsdOption = Annotated[
    Path | None,
    typer.Option(
        "--xsd", metavar="DIR", help="Folder of your copy of the NEMSIS schema, to check the document with it too."
    ),
]


@epcr.command("export")
def export_report(
    context: typer.Context,
    encounter: Annotated[str, typer.Option("--nemsis", metavar="ENCOUNTER", help="The encounter's id, enc_….")],
    tenant: TenantOption,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="New file for the document. Default: standard output.")
    ] = None,
    xsd: XsdOption = None,
) -> None:
    """Write the care record of an encounter as a NEMSIS 3.5.1 document. It has patient data; the audit trail records
    this. If NEMSIS does not permit the record, print what to correct and write no document."""
    report = run(
        context, lambda place: ReportExport(place.database, place.clock).read(place.operator(tenant), encounter)
    )
    if report.exported.problems:
        typer.echo(f"{encounter} cannot be exported. Correct these elements:", err=True)
        for problem in report.exported.problems:
            typer.echo(f"- {problem.text}{f' Entry: {problem.entry}.' if problem.entry else ''}", err=True)
        raise typer.Exit(1)
    if xsd is not None:
        _check_with_schema(report.exported.document, xsd)
    print_omissions("Not in the document", report.exported.omissions)
    if to is None:
        sys.stdout.buffer.write(report.exported.document)
    else:
        _write_new(to, report.exported.document)


@epcr.command("import")
def import_reports(
    context: typer.Context,
    file: Annotated[Path, typer.Option("--nemsis", metavar="FILE", help="The document, NEMSIS 3.5.1.")],
    tenant: TenantOption,
    organization: Annotated[
        str | None, typer.Option("--organization", help="The organisation of new encounters, org_….")
    ] = None,
    vehicle: Annotated[str | None, typer.Option("--vehicle", help="The vehicle of new encounters, veh_….")] = None,
    encounter: Annotated[
        str | None,
        typer.Option(
            "--encounter", help="An existing encounter for the only report of the document. Default: a new one."
        ),
    ] = None,
    xsd: XsdOption = None,
    as_json: AsJson = False,
) -> None:
    """Import the reports of a NEMSIS document into care records. The same document again changes nothing; a corrected
    one replaces what the same agency stated before."""
    from cloud.clinical.nemsis.importing import Destination, ReportImport  # here, as in `_check_with_schema`
    from protocols.nemsis.document import DocumentRefused, read_document

    if (encounter is None) is (organization is None) or (encounter is not None and vehicle is not None):
        raise typer.BadParameter("name either --encounter, or --organization and perhaps --vehicle")
    document = _read(file)
    if xsd is not None:
        try:
            read_document(document)  # the schema is no guard against a hostile document
        except DocumentRefused as refused:
            raise _refused(refused.reason) from None
        _check_with_schema(document, xsd)
    to = Destination(organization_id=organization, vehicle_id=vehicle, encounter_id=encounter)
    imported = run(
        context,
        lambda place: ReportImport(
            place.database, place.clock, place.ids, place.supplies[ENCOUNTER_EVIDENCE](place)
        ).take(place.operator(tenant), document, to),
    )
    for each in imported:
        print_omissions(f"Not in the care record of {each.encounter.id}", each.omissions)
    rows = [
        {"encounter": each.encounter.id, "changes": each.changes, "omissions": sum(one.count for one in each.omissions)}
        for each in imported
    ]
    print_rows("Imported", rows, as_json=as_json)


def print_omissions(title: str, omissions: tuple[Omission, ...]) -> None:
    """Print on standard error what a document or a record does not have."""
    if omissions:
        typer.echo(f"{title}:", err=True)
    for each in omissions:
        typer.echo(f"- {each.place}{f' ({each.count} times)' if each.count > 1 else ''}: {each.reason}", err=True)


def _check_with_schema(document: bytes, folder: Path) -> None:
    """Exit after printing what the operator's copy of the schema does not permit."""
    from cloud.clinical.nemsis.schema import Schema  # here, since loading lxml takes longer than most commands

    faults = or_exit(lambda: Schema(folder)).faults(document)
    if faults:
        typer.echo("The schema does not permit the document:", err=True)
        for fault in faults:
            typer.echo(f"- {fault.name} (line {fault.line}): {fault.text}", err=True)
        raise typer.Exit(1)


def _write_new(path: Path, document: bytes) -> None:
    """Write patient data to a new file that only its owner may read."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(document)
    except FileExistsError:
        raise _refused(f"{path} exists already. Name a new file.") from None
    except OSError as error:
        raise _refused(f"{path} cannot be written: {error.strerror}.") from None


def _read(path: Path) -> bytes:
    """Return the bytes of a file, and one more than the limit of a larger one."""
    from protocols.nemsis.document import DOCUMENT_BYTES_MAX

    try:
        with path.open("rb") as file:
            return file.read(DOCUMENT_BYTES_MAX + 1)
    except OSError as error:
        raise _refused(f"{path} cannot be read: {error.strerror}.") from None


def _refused(sentence: str) -> typer.Exit:
    typer.echo(sentence, err=True)
    return typer.Exit(1)
