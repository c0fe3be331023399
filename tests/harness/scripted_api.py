"""An HTTP server that sends the scripted responses of an SDK story in order, and records the requests.

It stands for both hosts on one address. `/v1/oauth/token` issues the tokens token-1, token-2, … to the app `app_story`,
and takes none of the responses; `token_text` is sent in their place. The connection is closed instead of a response
(`cut`), or within its body (`cut_after_bytes`). {api} in a header or a body is the address of the server.
"""

import base64
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN_PATH = "/v1/oauth/token"
CLIENT_ID, CLIENT_SECRET = "app_story", "story-secret"


class ScriptedApi:
    """The script of one story, and the requests that arrived. `token_requests` is the number of those for a token."""

    def __init__(
        self, responses: Sequence[dict[str, Any]], url: str, token_lifetime_s: int, token_text: str | None
    ) -> None:
        self.url = url
        self.requests: list[dict[str, Any]] = []
        self.token_requests = 0
        self._left = list(responses)
        self._token_lifetime_s = token_lifetime_s
        self._token_text = token_text

    def next_response(self) -> dict[str, Any]:
        """Return the next response of the script; a request after its end gets 599."""
        return self._left.pop(0) if self._left else {"status": 599}

    def token_response(self, authorization: str | None) -> dict[str, Any]:
        self.token_requests += 1
        expected = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if authorization != expected:
            return {"status": 401, "body": {"error": "invalid_client", "error_description": "No such app."}}
        if self._token_text is not None:
            return {"status": 200, "text": self._token_text}
        token = f"token-{self.token_requests}"
        granted = {"access_token": token, "token_type": "Bearer", "expires_in": self._token_lifetime_s, "scope": ""}
        return {"status": 200, "body": granted}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def _serve(self) -> None:
        api = self.server.api
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith(TOKEN_PATH):
            self._send(api.token_response(self.headers.get("Authorization")))
            return
        received: dict[str, Any] = {
            "method": self.command,
            "path": self.path,
            "authorization": self.headers.get("Authorization"),
            "idempotency_key": self.headers.get("Idempotency-Key"),
        }
        if body:
            received |= {"body": json.loads(body), "text": body.decode()}
        api.requests.append(received)
        self._send(api.next_response())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  the names that the library calls

    def _send(self, response: dict[str, Any]) -> None:
        self.close_connection = bool(response.get("cut")) or "cut_after_bytes" in response
        if response.get("cut"):
            return
        text = response["text"] if "text" in response else json.dumps(response["body"]) if "body" in response else ""
        body = text.replace("{api}", self.server.api.url).encode()
        self.send_response(response["status"])
        for name, value in response.get("headers", {"Content-Type": "application/json"}).items():
            self.send_header(name, value.replace("{api}", self.server.api.url))
        if response["status"] != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: response.get("cut_after_bytes")])

    def log_message(self, *_words: object) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: ScriptedApi


class ScriptedServer:
    """A running server, which one story after another gives its script."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self.url = f"http://127.0.0.1:{server.server_address[1]}"

    def play(
        self, responses: Sequence[dict[str, Any]], *, token_lifetime_s: int = 3600, token_text: str | None = None
    ) -> ScriptedApi:
        """Begin a story with these responses; return its script and record."""
        self._server.api = ScriptedApi(responses, self.url, token_lifetime_s, token_text)
        return self._server.api


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    """Run a server on a free port of this machine; stop it after the block."""
    server = _Server(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield ScriptedServer(server)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
