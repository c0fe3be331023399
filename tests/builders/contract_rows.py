"""One route of each kind, for tests of the documents that are derived from the route table; the handlers return no
content.
"""

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from cloud.foundation.http import (
    CLIENT_AUTHENTICATED,
    PUBLIC,
    BodyKind,
    Host,
    NoContent,
    Paged,
    RateClass,
    Request,
    Response,
    Route,
    Scopes,
)
from cloud.partners.discovery.routes import routes
from tests.builders.parts import make_parts

PRODUCTION = {
    Host.AUTH: "https://auth.knogin.com",
    Host.API: "https://api.knogin.com",
    Host.SANDBOX: "https://sandbox-api.knogin.com",
    Host.DOCS: "https://knogin.com",
}
"""The addresses of the hosts in the API contract."""

SCOPES = {
    "argus:devices:read": "List devices",
    "argus:devices:write": "Enrol devices",
    "argus:discovery:read": "List schemas",
}


class Gadget(BaseModel):
    """A thing for tests."""

    model_config = ConfigDict(extra="forbid")
    id: str
    serial_number: Annotated[str, Field(max_length=64, description="As printed on it.")]
    note: str | None = None


class GadgetQuery(Paged):
    """Filters of the listing."""

    vehicle_id: Annotated[str | None, Field(max_length=64, description="Only this vehicle's.")] = None


async def nothing(_request: Request) -> Response:
    return NoContent()


def row(**facts: Any) -> Route:
    """Return a route. By default it is a GET of `/api/v1/gadgets` on the api host; `facts` replaces or adds fields."""
    given: dict[str, Any] = {
        "method": "GET",
        "path": "/api/v1/gadgets",
        "handler": nothing,
        "host": Host.API,
        "scopes": Scopes.any_of("argus:devices:read", "argus:devices:write"),
        "summary": "List gadgets",
        "tag": "Devices",
    }
    return Route(**(given | facts))


LISTING = row(query=GadgetQuery, response=list[Gadget], responses={200: "A page of gadgets."})
MAKING = row(
    method="POST",
    idempotent=True,
    scopes=Scopes.any_of("argus:devices:write"),
    rate_class=RateClass.WRITE,
    body=Gadget,
    response=Gadget,
    responses={201: "Made.", 200: "It was there.", 409: "It was retired."},
    request_example={"id": "gad_1", "serial_number": "SN-0001"},
    response_example={"id": "gad_1", "serial_number": "SN-0001"},
    summary="Make a gadget",
    deprecated_on=date(2026, 3, 1),
    sunset_on=date(2027, 3, 1),
)
READING = row(path="/api/v1/gadgets/{gadgetId}", host=(Host.API, Host.SANDBOX), response=Gadget, summary="Read one")
TOKEN = row(
    method="POST",
    path="/v1/oauth/token",
    host=Host.AUTH,
    scopes=CLIENT_AUTHENTICATED,
    body=Gadget,
    body_kind=BodyKind.FORM,
    oauth_errors=True,
    response=Gadget,
    tag="Authentication",
    summary="Mint access tokens",
)
HIDDEN = (
    row(method="POST", path="/v1/oauth/revoke", host=Host.AUTH, scopes=CLIENT_AUTHENTICATED, in_contract=False),
    row(path="/health/live", host=tuple(Host), scopes=PUBLIC, in_contract=False),
    row(path="/api/v1/platform/{rest*}", in_contract=False),
)


def rows() -> tuple[Route, ...]:
    """Return all routes of this module, and the `.well-known` routes of discovery."""
    return (LISTING, MAKING, READING, TOKEN, *HIDDEN, *routes(make_parts()))
