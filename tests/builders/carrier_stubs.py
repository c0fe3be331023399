"""Local stand-ins of the carriers' published interfaces, and an egress client that reaches them by their real names.

The HTTPS stub serves the five carriers with a certificate for their names; `accepted` are the credentials that it
knows. The SIP stub responds to OPTIONS over TCP or TLS, with or without a digest challenge.
"""

import asyncio
import base64
import hashlib
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from cloud.foundation.egress import AllowList, Egress, Failure, Response
from tests.builders.egress_names import Names
from tests.harness.certificates import Authority

HOSTS = ("voip.ms", "api.twilio.com", "api.telnyx.com", "api.plivo.com", "dashboard.bandwidth.com", "sip.example")
CREDENTIALS: Mapping[str, Mapping[str, str]] = {
    "voip_ms": {"api_username": "synthetic@example.org", "api_password": "synthetic-password"},
    "twilio": {"account_sid": "AC" + "0" * 32, "auth_token": "1" * 32},
    "telnyx": {"api_key": "KEY0000synthetic"},
    "plivo": {"auth_id": "MA" + "S" * 18, "auth_token": "synthetic-token"},
    "bandwidth": {"account_id": "5500001", "username": "synthetic-user", "password": "synthetic-password"},
    "sip_iax2": {"protocol": "iax2", "host": "pbx.example"},
}
"""Credentials of each carrier, of which the stubs know those of the five with HTTPS."""


class ToStub(Egress):
    """An egress client that sends requests for port 443 to another port, since a test cannot have port 443."""

    port = 0

    async def request(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes) -> Response | Failure:
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        return await super().request(method, f"{scheme}://{host}:{self.port}/{path}", headers=headers, body=body)


@dataclass
class Carriers:
    """The running HTTPS stub. `asked` has the method, host and path of each request, with its query."""

    egress: ToStub
    served_tls: ssl.SSLContext
    asked: list[tuple[str, str, str]] = field(default_factory=list)


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


async def respond(request: web.Request) -> web.Response:
    """Respond as the carriers document it for their account resources."""
    given, known = request.headers.get("Authorization"), CREDENTIALS
    match request.method, request.host.partition(":")[0], request.path:
        case "POST", "voip.ms", "/api/v1/rest.php":
            form = dict(await request.post())
            right = form == {**known["voip_ms"], "method": "getBalance"}
            return web.json_response({"status": "success" if right else "invalid_credentials"})
        case "GET", "api.twilio.com", path if path == f"/2010-04-01/Accounts/{known['twilio']['account_sid']}.json":
            right = given == basic(known["twilio"]["account_sid"], known["twilio"]["auth_token"])
        case "GET", "api.telnyx.com", "/v2/balance":
            right = given == f"Bearer {known['telnyx']['api_key']}"
        case "GET", "api.plivo.com", path if path == f"/v1/Account/{known['plivo']['auth_id']}/":
            right = given == basic(known["plivo"]["auth_id"], known["plivo"]["auth_token"])
        case "GET", "dashboard.bandwidth.com", path if path == f"/api/accounts/{known['bandwidth']['account_id']}":
            right = given == basic(known["bandwidth"]["username"], known["bandwidth"]["password"])
        case _:
            return web.Response(status=500)
    return web.json_response({}, status=200 if right else 401)


@asynccontextmanager
async def carriers(folder: Path) -> AsyncIterator[Carriers]:
    """Run the HTTPS stub; `folder` gets its certificates."""
    authority = Authority(folder)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(*authority.issue("carriers", "carriers", names=HOSTS))
    trusting = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    names = Names(**{host.replace(".", "_"): [["127.0.0.1"]] for host in HOSTS})
    made = Carriers(ToStub(AllowList(), names, tls=trusting, judge=lambda address: True), served)

    async def serve(request: web.Request) -> web.Response:
        made.asked.append((request.method, request.host.partition(":")[0], request.path_qs))
        return await respond(request)

    runner = web.AppRunner(web.Application(middlewares=[]), access_log=None)
    runner.app.router.add_route("*", "/{path:.*}", serve)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=served).start()
    made.egress.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await made.egress.close()
        await runner.cleanup()


@dataclass
class SipGateway:
    """A SIP stub. `requests` are the received heads. With `password`, it challenges with a digest of `algorithm`."""

    status: str = "200 OK"
    password: str | None = None
    algorithm: str = "SHA-256"
    reply: bytes | None = None
    """Sent instead of a response."""
    requests: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.requests.append(head)
                writer.write(self.reply if self.reply is not None else self._response(head))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _response(self, head: str) -> bytes:
        copied = [
            line for line in head.split("\r\n") if line.partition(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")
        ]
        provisional = "\r\n".join(["SIP/2.0 100 Trying", *copied, "Content-Length: 0", "", ""])
        if self.password is not None and not self._is_proven(head):
            challenge = f'WWW-Authenticate: Digest realm="pbx", nonce="n-1", qop="auth", algorithm={self.algorithm}'
            return (provisional + "\r\n".join(["SIP/2.0 401 Unauthorized", *copied, challenge, "", ""])).encode()
        body = "v=0\r\n"
        return (
            provisional
            + "\r\n".join([f"SIP/2.0 {self.status}", *copied, f"Content-Length: {len(body)}", "", ""])
            + body
        ).encode()

    def _is_proven(self, head: str) -> bool:
        """Check the digest as RFC 7616 section 3.4.1 defines it."""
        found = dict(re.findall(r'(\w+)="?([^",\r]+)"?', head.partition("Authorization: Digest ")[2]))
        if not found:
            return False
        name = self.algorithm.replace("-", "").lower()

        def hashed(text: str) -> str:
            return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()

        first = hashed(f"{found['username']}:pbx:{self.password}")
        middle = f"n-1:{found['nc']}:{found['cnonce']}:auth"
        return found["response"] == hashed(f"{first}:{middle}:{hashed('OPTIONS:' + found['uri'])}")


@asynccontextmanager
async def sip_gateway(gateway: SipGateway, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve a SIP stub over TCP, or over TLS; yield its port."""
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
