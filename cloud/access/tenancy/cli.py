"""`argus-cloud tenants|organizations|vehicles`: set up customers, ambulance services and ambulances."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from cloud.access.tenancy.model import Organization, Tenant, Vehicle
from cloud.access.tenancy.service import Tenancy
from cloud.foundation.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.foundation.moments import write_moment

tenants = typer.Typer(help="Customers of this cloud.", no_args_is_help=True)
organizations = typer.Typer(help="Ambulance services of a tenant.", no_args_is_help=True)
vehicles = typer.Typer(help="Ambulances of an organisation.", no_args_is_help=True)

Name = Annotated[str, typer.Option("--name", help="Display name.")]
IdOption = Annotated[str | None, typer.Option("--id", help="Id. Default: a generated one.")]
OrganizationOption = Annotated[str, typer.Option("--organization", help="The organisation's id, org_….")]


def _shown(thing: Tenant | Organization | Vehicle) -> dict[str, Any]:
    document = asdict(thing)
    document["created_at"] = write_moment(document.pop("created_at_us"))
    return {"id": document.pop("id"), **document}


def _service(place: Workplace) -> Tenancy:
    return Tenancy(place.database, place.clock, place.ids)


@tenants.command("add")
def add_tenant(context: typer.Context, name: Name, id: IdOption = None, as_json: AsJson = False) -> None:
    """Add a tenant."""
    made = run(context, lambda place: _service(place).add_tenant(name, id=id))
    print_one(f"Tenant {made.id} added.", _shown(made), as_json=as_json)


@tenants.command("list")
def list_tenants(context: typer.Context, as_json: AsJson = False) -> None:
    """List all tenants."""
    found = run(context, lambda place: _service(place).list_tenants())
    print_rows("Tenants", map(_shown, found), as_json=as_json)


@organizations.command("add")
def add_organization(
    context: typer.Context, tenant: TenantOption, name: Name, id: IdOption = None, as_json: AsJson = False
) -> None:
    """Add an organisation to a tenant."""
    made = run(context, lambda place: _service(place).add_organization(place.operator(tenant), name, id=id))
    print_one(f"Organisation {made.id} added.", _shown(made), as_json=as_json)


@organizations.command("list")
def list_organizations(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """List the organisations of a tenant."""
    found = run(context, lambda place: _service(place).list_organizations(place.operator(tenant)))
    print_rows("Organisations", map(_shown, found), as_json=as_json)


@vehicles.command("add")
def add_vehicle(
    context: typer.Context,
    tenant: TenantOption,
    organization: OrganizationOption,
    name: Name,
    id: IdOption = None,
    as_json: AsJson = False,
) -> None:
    """Add a vehicle to an organisation."""
    made = run(context, lambda place: _service(place).add_vehicle(place.operator(tenant), organization, name, id=id))
    print_one(f"Vehicle {made.id} added.", _shown(made), as_json=as_json)


@vehicles.command("list")
def list_vehicles(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """List the vehicles of a tenant."""
    found = run(context, lambda place: _service(place).list_vehicles(place.operator(tenant)))
    print_rows("Vehicles", map(_shown, found), as_json=as_json)
