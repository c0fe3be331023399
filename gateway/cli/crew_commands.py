"""Command lines of `argus-gateway crew`; `crew` executes them."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import AsJson, config_of
from gateway.cli.refusal import refusing
from protocols.epcr.crew_role import CrewRole

crew_app = typer.Typer(
    help="Crew members, who sign in on the tablet with a PIN of their own.", no_args_is_help=True, add_completion=False
)

MemberId = Annotated[str, typer.Argument(metavar="ID", help="Id of the crew member, as in the cloud's crew register.")]


@crew_app.command("list")
def crew_list(context: typer.Context, as_json: AsJson = False) -> None:
    """List the crew members of this vehicle: id, name, role."""
    with refusing():
        from gateway.cli.crew import list_members

        list_members(config_of(context), as_json=as_json)


@crew_app.command("add")
def crew_add(
    context: typer.Context,
    member: MemberId,
    name: Annotated[str, typer.Option("--name", help="Name that the tablet shows.")],
    role: Annotated[CrewRole, typer.Option("--role", help="Role, which decides what the member may do.")],
    as_json: AsJson = False,
) -> None:
    """Add a crew member, and print the member's PIN. It is not shown again."""
    with refusing():
        from gateway.cli.crew import add_member

        add_member(config_of(context), member, name, role, as_json=as_json)


@crew_app.command("import")
def crew_import(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV file with the columns id, name, role.", readable=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Add the crew members of a file that the vehicle does not have yet, and print their PINs."""
    with refusing():
        from gateway.cli.crew import import_members

        import_members(config_of(context), file, as_json=as_json)


@crew_app.command("pin")
def crew_pin(context: typer.Context, member: MemberId, as_json: AsJson = False) -> None:
    """Give a crew member another PIN, which ends the member's sessions, and print it."""
    with refusing():
        from gateway.cli.crew import renew_pin

        renew_pin(config_of(context), member, as_json=as_json)


@crew_app.command("remove")
def crew_remove(context: typer.Context, member: MemberId) -> None:
    """Remove a crew member, which ends the member's sessions."""
    with refusing():
        from gateway.cli.crew import remove_member

        remove_member(config_of(context), member)


@crew_app.command("authority")
def crew_authority(
    context: typer.Context,
    new: Annotated[bool, typer.Option("--new", help="Make another authority. Each tablet must install it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the fingerprint of the certificate that the tablets of this vehicle install."""
    with refusing():
        from gateway.cli.crew import show_authority

        show_authority(config_of(context), new=new, as_json=as_json)
