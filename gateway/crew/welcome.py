"""Page for a tablet that does not trust the vehicle yet: offers the vehicle's authority, with steps for each system.

It is the only page that is served without TLS, because a browser would refuse the page that explains how to trust it. A
person in the vehicle's network could change it on the way; so it shows the fingerprint, which the tablet shows again
when it installs the authority, and which the vehicle's papers have. It has no cookie and no data of a patient. Every
other path redirects to TLS.

No Strict-Transport-Security header is sent: a tablet that is moved to another vehicle, or whose vehicle gets another
authority, could then never open this page again under the same name. The session's cookies are sent over TLS only.
"""

import io
from pathlib import Path

import segno
from aiohttp import web

from gateway.crew.pages import Pages
from gateway.crew.request_checks import require_own_host
from gateway.crew.routes import STATIC, Handler
from gateway.security.vehicle_authority import VehicleAuthority

AUTHORITY_PATH = "/vehicle-ca.crt"
CODE_PATH = "/address.svg"
_CODE_SCALE = 8
_CODE_BORDER = 4


def welcome_app(pages: Pages, authority: VehicleAuthority, host_names: frozenset[str], static: Path) -> web.Application:
    """Return the application for connections without TLS."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        require_own_host(request, host_names)
        resource = request.match_info.route.resource
        if resource is None or request.method not in ("GET", "HEAD"):
            raise web.HTTPPermanentRedirect(f"https://{request.host}{request.path}")
        return await handler(request)

    async def show(request: web.Request) -> web.StreamResponse:
        return pages.render(
            request,
            "welcome.html",
            address=f"https://{request.host}/",
            fingerprint=authority.fingerprint,
            authority_path=AUTHORITY_PATH,
            code_path=CODE_PATH,
        )

    async def offer(request: web.Request) -> web.StreamResponse:
        return web.Response(
            body=authority.der,
            content_type="application/x-x509-ca-cert",
            headers={"Content-Disposition": 'attachment; filename="argus-vehicle.crt"'},
        )

    async def draw_code(request: web.Request) -> web.StreamResponse:
        return web.Response(body=address_code(f"http://{request.host}/"), content_type="image/svg+xml")

    app = web.Application(middlewares=[guard])
    app.router.add_get("/", show)
    app.router.add_get(AUTHORITY_PATH, offer)
    app.router.add_get(CODE_PATH, draw_code)
    app.router.add_static(STATIC, static)
    return app


def address_code(address: str) -> bytes:
    """Return an SVG picture of a QR code that opens `address`, dark on light in every look."""
    picture = io.BytesIO()
    segno.make(address, error="q", micro=False).save(
        picture, kind="svg", scale=_CODE_SCALE, border=_CODE_BORDER, dark="#000", light="#fff"
    )
    return picture.getvalue()
