"""A concealed route responds to a caller without its scope exactly as an absent route."""

import httpx
import pytest

from cloud.foundation.http import Host, Json, Request, Response, Route, Scopes
from tests.builders.api_surface import alike
from tests.builders.http_surface import KnownTokens, caller, surface
from tests.harness.eventually import WITHIN_S
from tests.harness.plain_http import PLAIN

PATH = "/api/v1/identified/things"
CALLERS = {"entitled": caller(scopes=("argus:epcr:identified",)), "other": caller(scopes=("argus:epcr:read",))}


async def respond(request: Request) -> Response:
    return Json({"read": True})


def route(**more: object) -> Route:
    fields = {"concealed": True, "in_contract": False, **more}
    return Route(
        method="GET",
        path=PATH,
        handler=respond,
        host=Host.API,
        scopes=Scopes.any_of("argus:epcr:identified"),
        **fields,  # type: ignore[arg-type]  # fields of several types
    )


@pytest.mark.contract("A-097", "A-006")
async def test_concealed_route_and_an_absent_one_get_the_same_response() -> None:
    async with (
        surface(route(), tokens=KnownTokens(CALLERS)) as served,
        httpx.AsyncClient(
            base_url=served.url(""), headers={"Connection": "close"}, verify=PLAIN, timeout=WITHIN_S
        ) as client,
    ):

        async def ask(method: str, path: str, who: str) -> httpx.Response:
            return await client.request(method, path, headers={"Authorization": f"Bearer {who}"})

        absent = await ask("GET", f"{PATH}-absent", "other")
        assert alike(await ask("GET", PATH, "other"), absent)
        for method in ("POST", "DELETE", "OPTIONS"):
            assert alike(await ask(method, PATH, "entitled"), await ask(method, f"{PATH}-absent", "entitled"))
        assert (await ask("GET", PATH, "entitled")).json() == {"read": True}
        assert (await ask("GET", PATH, "unknown")).status_code == 401


def test_concealed_route_cannot_be_in_the_public_contract() -> None:
    with pytest.raises(ValueError, match="public contract"):
        route(in_contract=True)
