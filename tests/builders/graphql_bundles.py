"""Apps and operation bundles for tests of GraphQL."""

from typing import Any

import httpx

from cloud.access.apps import Apps, Wanted
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Actor
from cloud.partners.graphql.bundles import Bundles
from tests.builders.api_surface import Api

ENCOUNTER = "query Encounter($id: ID!) { encounter(id: $id) { id status organizationId } }"
TYPE_NAME = "{ __typename }"
GRAPHQL_JSON = "application/graphql-response+json"


def bundles(here: Api) -> Bundles:
    return Bundles(here.database, here.clock)


async def register_app(here: Api, tenant: str, client: str) -> None:
    """Register an app with the client id that a caller of the test server has."""
    wanted = Wanted(name=client, scopes={"argus:epcr:read"}, client_id=client)
    await Apps(here.database, here.clock, UlidIds(here.clock)).register(Actor.operator(tenant), wanted)


async def grant_documents(here: Api, *texts: str, tenant: str = "tnt_north", client: str = "app_north") -> list[str]:
    """Register an app and a bundle `dispatch` with these documents (default: `ENCOUNTER` and `TYPE_NAME`), and grant it
    to the app; return the ids of the documents."""
    await register_app(here, tenant, client)
    desk = bundles(here)
    documents = await desk.register("dispatch", 1, texts or (ENCOUNTER, TYPE_NAME))
    await desk.grant(Actor.operator(tenant), client, "dispatch", 1)
    return [f"sha256:{one.digest}" for one in documents]


async def send(here: Api, query: str | None = None, variables: Any = None, **more: Any) -> httpx.Response:
    """Send a GraphQL request; `more` are further members of the body, or `who` and headers such as `Accept`."""
    headers = {name: more.pop(name) for name in ("who", "Accept", "X_Tenant_ID") if name in more}
    body = {"query": query, "variables": variables, **more}
    sent = {name: value for name, value in body.items() if value is not None}
    return await here.post("/graphql", sent, **headers)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Return the status of a response and the code of its only error."""
    (error,) = answer.json()["errors"]
    return answer.status_code, error["extensions"]["code"]
