"""`argus-cloud telephony`: the carriers of a tenant, and the routes of their numbers.

Credentials come from a file, so that they are in no list of processes and in no history of a shell.
"""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from cloud.foundation.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.foundation.egress import Egress, allow_list
from cloud.foundation.master_key import load_master_key
from cloud.foundation.moments import write_moment
from cloud.partners.telephony.carriers import CARRIERS
from cloud.partners.telephony.check import ProviderCheck
from cloud.partners.telephony.model import CheckOutcome, Provider, Route, Subsystem
from cloud.partners.telephony.service import NewRoute, Telephony

telephony = typer.Typer(help="Carriers of a tenant and the routes of their numbers.", no_args_is_help=True)
providers = typer.Typer(help="Configured carriers.", no_args_is_help=True)
routes = typer.Typer(help="Routes of numbers and subaccounts to subsystems.", no_args_is_help=True)
telephony.add_typer(providers, name="providers")
telephony.add_typer(routes, name="routes")

FILE_BYTES_MAX = 16_384
DOCUMENTS = Path(__file__).parent / "documents"

ProviderArgument = Annotated[str, typer.Argument(help="The provider's id, tlp_….")]
RouteArgument = Annotated[str, typer.Argument(help="The route's id, tlr_….")]
CredentialsOption = Annotated[
    Path,
    typer.Option("--credentials-file", metavar="FILE", help="JSON object with the credentials of the carrier."),
]
SubsystemOption = Annotated[Subsystem, typer.Option("--to", help="The subsystem that takes the calls.")]


def _service(place: Workplace) -> Telephony:
    return Telephony(place.database, place.clock, place.ids, lambda: load_master_key(place.settings))


def _credentials(file: Path) -> dict[str, str]:
    try:
        with file.open("rb") as opened:
            document = orjson.loads(opened.read(FILE_BYTES_MAX + 1))
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}.") from None
    except orjson.JSONDecodeError:
        raise typer.BadParameter(f"{file} is not a JSON object of at most {FILE_BYTES_MAX} bytes.") from None
    if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
        raise typer.BadParameter(f"{file} is not a JSON object with texts.")
    return document


def _shown(one: Provider) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "carrier": one.carrier,
        "default": one.is_default,
        "active": one.disabled_at_us is None,
        "checked_at": write_moment(one.checked_at_us),
        "check_outcome": one.check_outcome,
    }


def _shown_route(one: Route) -> dict[str, Any]:
    return {
        "id": one.id,
        "provider_id": one.provider_id,
        "did": one.did,
        "subaccount": one.subaccount,
        "subsystem": one.subsystem,
        "label": one.label,
        "active": one.disabled_at_us is None,
    }


@providers.command("add")
def add_provider(
    context: typer.Context,
    tenant: TenantOption,
    name: Annotated[str, typer.Option("--name", help="Display name.")],
    carrier: Annotated[str, typer.Option("--carrier", help=", ".join(CARRIERS) + ".")],
    credentials_file: CredentialsOption,
    default: Annotated[bool, typer.Option("--default", help="Make it the default of the tenant.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add a provider. The first one of a tenant is its default."""
    given = _credentials(credentials_file)

    async def add(place: Workplace) -> Provider:
        return await _service(place).add_provider(place.operator(tenant), name, carrier, given, default=default)

    made = run(context, add)
    sentence = f"Provider {made.id} added. Check it: argus-cloud telephony providers check"
    print_one(sentence, _shown(made), as_json=as_json)


@providers.command("list")
def list_providers(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """List the providers of a tenant, without their credentials."""
    found = run(context, lambda place: _service(place).list_providers(place.operator(tenant)))
    print_rows("Telephony providers", [_shown(one) for one in found], as_json=as_json)


@providers.command("update")
def update_provider(
    context: typer.Context,
    provider: ProviderArgument,
    tenant: TenantOption,
    name: Annotated[str | None, typer.Option("--name", help="New display name.")] = None,
    credentials_file: Annotated[
        Path | None,
        typer.Option("--credentials-file", metavar="FILE", help="JSON object with all credentials of the carrier."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change the name or all credentials of a provider."""
    given = None if credentials_file is None else _credentials(credentials_file)

    async def update(place: Workplace) -> Provider:
        return await _service(place).update_provider(place.operator(tenant), provider, name=name, credentials=given)

    print_one(f"Provider {provider} changed.", _shown(run(context, update)), as_json=as_json)


@providers.command("enable")
def enable_provider(
    context: typer.Context, provider: ProviderArgument, tenant: TenantOption, as_json: AsJson = False
) -> None:
    """Enable a provider that was disabled."""
    _set_enabled(context, provider, tenant, as_json, enabled=True)


@providers.command("disable")
def disable_provider(
    context: typer.Context, provider: ProviderArgument, tenant: TenantOption, as_json: AsJson = False
) -> None:
    """Disable a provider. Its routes then lead nowhere."""
    _set_enabled(context, provider, tenant, as_json, enabled=False)


def _set_enabled(context: typer.Context, provider: str, tenant: str, as_json: bool, *, enabled: bool) -> None:
    async def change(place: Workplace) -> Provider:
        return await _service(place).set_enabled(place.operator(tenant), provider, enabled=enabled)

    found = run(context, change)
    print_one(f"Provider {provider} {'enabled' if enabled else 'disabled'}.", _shown(found), as_json=as_json)


@providers.command("default")
def default_provider(
    context: typer.Context, provider: ProviderArgument, tenant: TenantOption, as_json: AsJson = False
) -> None:
    """Make a provider the default of its tenant."""
    found = run(context, lambda place: _service(place).set_default(place.operator(tenant), provider))
    print_one(f"Provider {provider} is the default.", _shown(found), as_json=as_json)


@providers.command("check")
def check_provider(
    context: typer.Context, provider: ProviderArgument, tenant: TenantOption, as_json: AsJson = False
) -> None:
    """Find out whether the carrier accepts the credentials. No call is placed, and nothing changes there."""

    async def check(place: Workplace) -> CheckOutcome:
        egress = Egress(allow_list(place.settings))
        try:
            actor = place.operator(tenant)
            return await _service(place).check_provider(actor, provider, ProviderCheck(egress))
        finally:
            await egress.close()

    outcome = run(context, check)
    print_one(f"{provider}: {outcome}.", {"id": provider, "check_outcome": outcome}, as_json=as_json)
    if outcome not in (CheckOutcome.ACCEPTED, CheckOutcome.NOT_CHECKED):
        raise typer.Exit(1)


@routes.command("add")
def add_route(
    context: typer.Context,
    tenant: TenantOption,
    provider: Annotated[str, typer.Option("--provider", help="The provider's id, tlp_….")],
    subsystem: SubsystemOption,
    did: Annotated[str | None, typer.Option("--did", help="A number in E.164 form, such as +48221234567.")] = None,
    subaccount: Annotated[str | None, typer.Option("--subaccount", help="A subaccount of the provider.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="Display name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Lead the calls to a number, or of a subaccount, to a subsystem."""
    new = NewRoute(provider_id=provider, did=did, subaccount=subaccount, subsystem=subsystem, label=label)
    made = run(context, lambda place: _service(place).add_route(place.operator(tenant), new))
    print_one(f"Route {made.id} added.", _shown_route(made), as_json=as_json)


@routes.command("list")
def list_routes(
    context: typer.Context,
    tenant: TenantOption,
    provider: Annotated[str | None, typer.Option("--provider", help="Only routes of this provider.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the routes of a tenant."""
    found = run(context, lambda place: _service(place).list_routes(place.operator(tenant), provider))
    print_rows("Telephony routes", [_shown_route(one) for one in found], as_json=as_json)


@routes.command("remove")
def remove_route(context: typer.Context, route: RouteArgument, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Delete a route."""
    gone = run(context, lambda place: _service(place).remove_route(place.operator(tenant), route))
    print_one(f"Route {route} removed.", _shown_route(gone), as_json=as_json)


@telephony.command("resolve")
def resolve_number(
    context: typer.Context,
    did: Annotated[str, typer.Argument(metavar="DID", help="A number in E.164 form, such as +48221234567.")],
    tenant: TenantOption,
    as_json: AsJson = False,
) -> None:
    """Show where a call to a number goes."""
    route, provider = run(context, lambda place: _service(place).resolve(place.operator(tenant), did))
    written = CARRIERS[provider.carrier].number(did)
    sentence = f"{did} ({written} at {CARRIERS[provider.carrier].title}) leads to {route.subsystem} by {route.id}."
    document = {**_shown_route(route), "carrier": provider.carrier, "number_at_carrier": written}
    print_one(sentence, document, as_json=as_json)


@telephony.command("documents")
def write_documents(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="An existing folder.")], as_json: AsJson = False
) -> None:
    """Write the GraphQL documents of telephony, for `argus-cloud bundles add`."""
    if not folder.is_dir():
        raise typer.BadParameter(f"{folder} is not a folder")
    names = []
    for document in sorted(DOCUMENTS.glob("*.graphql")):
        (folder / document.name).write_text(document.read_text())
        names.append(document.name)
    print_one(f"{len(names)} documents written to {folder}.", {"documents": names}, as_json=as_json)
