"""GraphQL field of encounters: the summary as partners see it, for operation bundles of dispatch systems."""

from typing import Any

from graphql import GraphQLArgument, GraphQLField, GraphQLID, GraphQLNonNull, GraphQLString

from cloud.clinical.epcr.errors import EncounterUnknown
from cloud.clinical.epcr.store import Encounters
from cloud.foundation.graphql_fields import DATE_TIME, GraphContext, GraphFields, object_type, root_field

_ENCOUNTER = object_type(
    "Encounter",
    "An encounter, without patient data.",
    lambda: {
        "id": GraphQLField(GraphQLNonNull(GraphQLID)),
        "organizationId": GraphQLField(GraphQLNonNull(GraphQLID)),
        "vehicleId": GraphQLField(GraphQLID),
        "careModel": GraphQLField(GraphQLNonNull(GraphQLString)),
        "status": GraphQLField(GraphQLNonNull(GraphQLString)),
        "createdAt": GraphQLField(GraphQLNonNull(DATE_TIME)),
    },
)


async def _encounter(context: GraphContext, /, **arguments: Any) -> dict[str, Any]:
    context.require_organization()
    async with context.parts.database.read() as tx:
        found = await Encounters().find(tx, context.caller.viewer, arguments["id"])
    if found is None:
        raise EncounterUnknown
    return {
        "id": found.id,
        "organizationId": found.organization_id,
        "vehicleId": found.vehicle_id,
        "careModel": found.care_model.value,
        "status": found.status.value,
        "createdAt": found.created_at_us,
    }


GRAPH = GraphFields(
    queries={
        "encounter": root_field(
            _ENCOUNTER,
            _encounter,
            scopes=frozenset({"argus:epcr:read", "argus:epcr:write"}),
            arguments={"id": GraphQLArgument(GraphQLNonNull(GraphQLID))},
            description="The summary of an encounter.",
        )
    }
)
