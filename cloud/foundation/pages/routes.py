"""Routes of the pages' static files, one for each file, since all files are known at start."""

from cloud.foundation.http import PUBLIC, Host, RateClass, Request, Response, Route
from cloud.foundation.pages.assets import ASSETS, Asset

FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


class AssetHandler:
    """Returns one file."""

    def __init__(self, asset: Asset) -> None:
        self._asset = asset

    async def __call__(self, request: Request) -> Response:
        return Response(200, self._asset.octets, self._asset.media_type, headers=FOR_EVER)


def asset_rows() -> tuple[Route, ...]:
    return tuple(
        Route(
            method="GET",
            path=asset.path,
            handler=AssetHandler(asset),
            host=Host.AUTH,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            responses={200: "The file."},
            summary="Fetch a file of the pages",
            tag="Pages",
            in_contract=False,
        )
        for asset in ASSETS
    )
