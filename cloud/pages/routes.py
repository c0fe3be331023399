"""Where the pages' files are."""

from cloud.http import PUBLIC, Answer, Host, NotFound, Octets, RateClass, Request, Route
from cloud.pages.assets import ASSETS

FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


class AssetHandlers:
    """One for the auth host."""

    async def asset(self, request: Request) -> Answer:
        """`GET /assets/{name}`."""
        asset = ASSETS.get(request.path["name"])
        if asset is None:
            raise NotFound
        return Octets(asset.octets, asset.media_type, headers=FOR_EVER)


def routes(h: AssetHandlers) -> tuple[Route, ...]:
    return (
        Route(
            method="GET",
            path="/assets/{name}",
            handler=h.asset,
            host=Host.AUTH,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            answers={200: "The file."},
            summary="Fetch a page's stylesheet or mark",
            tag="Pages",
            in_contract=False,
        ),
    )
