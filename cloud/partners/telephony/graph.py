"""GraphQL fields of telephony (contract C-135 … C-142).

The area is on request: no document of it is in a bundle of the contract, so an app needs a bundle that the operator
registers and grants (`argus-cloud telephony documents` writes its documents). Credentials are arguments only; no type
of the schema has a field for them.
"""

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLString,
)

from cloud.foundation.graphql_fields import (
    DATE_TIME,
    GraphContext,
    GraphFields,
    Resolver,
    object_type,
    root_field,
)
from cloud.foundation.http import NotFound
from cloud.foundation.viewer import Actor
from cloud.partners.telephony.carriers import CARRIERS
from cloud.partners.telephony.model import Provider, Route, Subsystem
from cloud.partners.telephony.service import NewRoute, Telephony

READ = frozenset({"argus:telephony:read", "argus:telephony:write"})
WRITE = frozenset({"argus:telephony:write"})

_TEXT, _ID, _YES = GraphQLNonNull(GraphQLString), GraphQLNonNull(GraphQLID), GraphQLNonNull(GraphQLBoolean)
_CARRIER = GraphQLEnumType(
    "TelephonyCarrier", {name.upper(): name for name in CARRIERS}, description="A supported carrier."
)
_SUBSYSTEM = GraphQLEnumType(
    "TelephonySubsystem",
    {one.value: one.value for one in Subsystem},
    description="A subsystem that takes calls.",
)
_CREDENTIAL = GraphQLInputObjectType(
    "TelephonyCredential",
    {"name": GraphQLInputField(_TEXT), "value": GraphQLInputField(_TEXT)},
    description="A credential of the carrier. It is stored encrypted and never returned.",
)
_PROVIDER = object_type(
    "TelephonyProvider",
    "A configured carrier of the tenant.",
    lambda: {
        "id": GraphQLField(_ID),
        "name": GraphQLField(_TEXT),
        "carrierType": GraphQLField(GraphQLNonNull(_CARRIER)),
        "isDefault": GraphQLField(_YES),
        "isActive": GraphQLField(_YES),
        "checkedAt": GraphQLField(DATE_TIME, description="Time of the last check of the credentials."),
        "checkOutcome": GraphQLField(GraphQLString),
        "createdAt": GraphQLField(GraphQLNonNull(DATE_TIME)),
        "updatedAt": GraphQLField(GraphQLNonNull(DATE_TIME)),
    },
)
_ROUTE = object_type(
    "TelephonyRoute",
    "A rule that leads calls to a number, or of a subaccount of the provider, to a subsystem.",
    lambda: {
        "id": GraphQLField(_ID),
        "providerId": GraphQLField(_ID),
        "did": GraphQLField(GraphQLString, description="The number in E.164 form."),
        "subaccount": GraphQLField(GraphQLString),
        "targetSubsystem": GraphQLField(GraphQLNonNull(_SUBSYSTEM)),
        "label": GraphQLField(GraphQLString),
        "isActive": GraphQLField(_YES),
        "createdAt": GraphQLField(GraphQLNonNull(DATE_TIME)),
        "updatedAt": GraphQLField(GraphQLNonNull(DATE_TIME)),
    },
)


def provider_form(one: Provider) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "carrierType": one.carrier,
        "isDefault": one.is_default,
        "isActive": one.disabled_at_us is None,
        "checkedAt": one.checked_at_us,
        "checkOutcome": one.check_outcome,
        "createdAt": one.created_at_us,
        "updatedAt": one.updated_at_us,
    }


def route_form(one: Route) -> dict[str, Any]:
    return {
        "id": one.id,
        "providerId": one.provider_id,
        "did": one.did,
        "subaccount": one.subaccount,
        "targetSubsystem": one.subsystem,
        "label": one.label,
        "isActive": one.disabled_at_us is None,
        "createdAt": one.created_at_us,
        "updatedAt": one.updated_at_us,
    }


def _service(context: GraphContext) -> Telephony:
    parts = context.parts
    return Telephony(parts.database, parts.clock, parts.ids, parts.master)


def _actor(context: GraphContext, tenant_id: str) -> Actor:
    """Return the caller. Raises `NotFound` if `tenantId` is not its tenant, as for one that does not exist (contract
    matrix A-094)."""
    if tenant_id != context.actor.tenant_id:
        raise NotFound
    return context.actor


def _credentials(given: list[Mapping[str, str]]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in given}


async def _providers(context: GraphContext, /, **given: Any) -> list[dict[str, Any]]:
    found = await _service(context).list_providers(_actor(context, given["tenantId"]))
    return [provider_form(one) for one in found]


async def _routes(context: GraphContext, /, **given: Any) -> list[dict[str, Any]]:
    actor = _actor(context, given["tenantId"])
    return [route_form(one) for one in await _service(context).list_routes(actor, given.get("providerId"))]


async def _create_provider(context: GraphContext, /, **given: Any) -> dict[str, Any]:
    actor, credentials = _actor(context, given["tenantId"]), _credentials(given["credentials"])
    made = await _service(context).add_provider(
        actor, given["name"], given["carrierType"], credentials, default=given.get("isDefault") or False
    )
    return provider_form(made)


async def _update_provider(context: GraphContext, /, **given: Any) -> dict[str, Any]:
    actor, credentials = _actor(context, given["tenantId"]), given.get("credentials")
    changed = await _service(context).update_provider(
        actor,
        given["id"],
        name=given.get("name"),
        credentials=None if credentials is None else _credentials(credentials),
    )
    return provider_form(changed)


async def _enable_provider(context: GraphContext, /, **given: Any) -> dict[str, Any]:
    actor = _actor(context, given["tenantId"])
    return provider_form(await _service(context).set_enabled(actor, given["id"], enabled=given["isActive"]))


async def _default_provider(context: GraphContext, /, **given: Any) -> dict[str, Any]:
    return provider_form(await _service(context).set_default(_actor(context, given["tenantId"]), given["id"]))


async def _create_route(context: GraphContext, /, **given: Any) -> dict[str, Any]:
    new = NewRoute(
        provider_id=given["providerId"],
        did=given.get("did"),
        subaccount=given.get("subaccount"),
        subsystem=Subsystem(given["targetSubsystem"]),
        label=given.get("label"),
    )
    return route_form(await _service(context).add_route(_actor(context, given["tenantId"]), new))


async def _update_route(context: GraphContext, /, **given: Any) -> dict[str, Any]:
    actor, subsystem = _actor(context, given["tenantId"]), given.get("targetSubsystem")
    changed = await _service(context).update_route(
        actor,
        given["id"],
        subsystem=None if subsystem is None else Subsystem(subsystem),
        enabled=given.get("isActive"),
    )
    return route_form(changed)


async def _delete_route(context: GraphContext, /, **given: Any) -> dict[str, Any]:
    return route_form(await _service(context).remove_route(_actor(context, given["tenantId"]), given["id"]))


def _of_tenant(**more: GraphQLArgument) -> dict[str, GraphQLArgument]:
    return {"tenantId": GraphQLArgument(_ID), **more}


def _mutation(kind: Any, resolve: Resolver, description: str, **more: GraphQLArgument) -> GraphQLField:
    arguments = _of_tenant(**more)
    return root_field(GraphQLNonNull(kind), resolve, scopes=WRITE, arguments=arguments, description=description)


_CREDENTIALS = GraphQLList(GraphQLNonNull(_CREDENTIAL))
GRAPH = GraphFields(
    queries={
        "telephonyProviders": root_field(
            GraphQLNonNull(GraphQLList(GraphQLNonNull(_PROVIDER))),
            _providers,
            scopes=READ,
            arguments=_of_tenant(),
            description="The providers of the tenant. Added in contract v2026.2.",
        ),
        "telephonyRoutes": root_field(
            GraphQLNonNull(GraphQLList(GraphQLNonNull(_ROUTE))),
            _routes,
            scopes=READ,
            arguments=_of_tenant(providerId=GraphQLArgument(GraphQLID)),
            description="The routes of the tenant, or of one provider. Added in contract v2026.2.",
        ),
    },
    mutations={
        "createTelephonyProvider": _mutation(
            _PROVIDER,
            _create_provider,
            "Add a provider. The first one of a tenant is its default.",
            name=GraphQLArgument(_TEXT),
            carrierType=GraphQLArgument(GraphQLNonNull(_CARRIER)),
            credentials=GraphQLArgument(GraphQLNonNull(_CREDENTIALS)),
            isDefault=GraphQLArgument(GraphQLBoolean),
        ),
        "updateTelephonyProvider": _mutation(
            _PROVIDER,
            _update_provider,
            "Change the name or all credentials of a provider.",
            id=GraphQLArgument(_ID),
            name=GraphQLArgument(GraphQLString),
            credentials=GraphQLArgument(_CREDENTIALS),
        ),
        "setTelephonyProviderActive": _mutation(
            _PROVIDER,
            _enable_provider,
            "Enable or disable a provider.",
            id=GraphQLArgument(_ID),
            isActive=GraphQLArgument(_YES),
        ),
        "setDefaultTelephonyProvider": _mutation(
            _PROVIDER, _default_provider, "Make a provider the default of the tenant.", id=GraphQLArgument(_ID)
        ),
        "createTelephonyRoute": _mutation(
            _ROUTE,
            _create_route,
            "Add an active route for a number or a subaccount.",
            providerId=GraphQLArgument(_ID),
            did=GraphQLArgument(GraphQLString),
            subaccount=GraphQLArgument(GraphQLString),
            targetSubsystem=GraphQLArgument(GraphQLNonNull(_SUBSYSTEM)),
            label=GraphQLArgument(GraphQLString),
        ),
        "updateTelephonyRoute": _mutation(
            _ROUTE,
            _update_route,
            "Change the subsystem of a route, or enable or disable the route.",
            id=GraphQLArgument(_ID),
            targetSubsystem=GraphQLArgument(_SUBSYSTEM),
            isActive=GraphQLArgument(GraphQLBoolean),
        ),
        "deleteTelephonyRoute": _mutation(_ROUTE, _delete_route, "Delete a route.", id=GraphQLArgument(_ID)),
    },
)
