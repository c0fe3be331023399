"""`argus-cloud profiles`: import, list, show and remove profiles."""

from pathlib import Path
from typing import Annotated

import typer

from cloud.clinical.profiles.handlers import shown
from cloud.clinical.profiles.model import ImportedProfiles
from cloud.clinical.profiles.service import LINE_BYTES_MAX, Profiles, read_document
from cloud.foundation.command import AsJson, TenantOption, Workplace, print_json, print_one, print_rows, run

profiles = typer.Typer(help="Profiles of people, organisations and wallets.", no_args_is_help=True)

ProfileArgument = Annotated[str, typer.Argument(metavar="PROFILE", help="The profile's id, prf_….")]
PROFILES_MAX = 1000


def _service(place: Workplace) -> Profiles:
    return Profiles(place.database, place.clock, place.ids)


@profiles.command("import")
def import_profiles(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines: one profile a line.")],
    tenant: TenantOption,
    organization: Annotated[str, typer.Option("--organization", help="The organisation's id, org_….")],
    as_json: AsJson = False,
) -> None:
    """Import profiles. A profile with a known reference is replaced. Lines are stored in chunks of 200, each as a
    whole; a chunk with a problem is not stored."""

    async def imported(place: Workplace) -> ImportedProfiles:
        with file.open("rb") as opened:
            # A longer line is read in part, and refused by its length.
            lines = iter(lambda: opened.readline(LINE_BYTES_MAX + 1), b"")
            return await _service(place).import_profiles(place.operator(tenant), organization, lines)

    try:
        done = run(context, imported)
    except OSError as error:
        typer.echo(f"{file} cannot be read: {error.strerror}.", err=True)
        raise typer.Exit(1) from None
    for problem in done.problems:
        typer.echo(f"- line {problem.line}: {problem.text}", err=True)
    document = {"stored": done.stored, "left_out": done.left_out}
    print_one(f"{done.stored} profiles stored, {done.left_out} lines not stored.", document, as_json=as_json)
    if done.left_out:
        raise typer.Exit(1)


@profiles.command("list")
def list_profiles(
    context: typer.Context,
    tenant: TenantOption,
    limit: Annotated[int, typer.Option(min=1, max=PROFILES_MAX, help="Maximum rows.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the profiles of a tenant, newest first."""
    found = run(context, lambda place: _service(place).list(place.operator(tenant), count=limit))
    print_rows("Profiles", map(shown, found), as_json=as_json)


@profiles.command("show")
def show_profile(context: typer.Context, profile: ProfileArgument, tenant: TenantOption) -> None:
    """Print a profile and its last enrichment as JSON."""
    found, enrichment = run(context, lambda place: _service(place).read(place.operator(tenant), profile))
    print_json({**shown(found), "enrichment": None if enrichment is None else read_document(enrichment)})


@profiles.command("remove")
def remove_profile(
    context: typer.Context, profile: ProfileArgument, tenant: TenantOption, as_json: AsJson = False
) -> None:
    """Delete a profile with all its enrichments."""
    run(context, lambda place: _service(place).remove(place.operator(tenant), profile))
    print_one(f"{profile} and its enrichments are deleted.", {"removed": profile}, as_json=as_json)
