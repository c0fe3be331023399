"""The check of presigned addresses that an S3 service makes, and moto's server does not.

A presigned address permits one method on one object until one time (AWS Signature Version 4, query parameters). The
signature is computed a second time with botocore, which shares no code with the client of the product.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_SIGNATURE = "X-Amz-Signature"


class PresignedCheck:
    """A WSGI application that checks the signature of presigned requests before `inner` gets them. `ahead_s` moves its
    clock."""

    def __init__(self, inner: Application, credentials: Credentials) -> None:
        self._inner = inner
        self._credentials = credentials
        self.ahead_s = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if _SIGNATURE in environ["QUERY_STRING"] and not self._is_permitted(environ):
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code></Error>"]
        return self._inner(environ, start_response)

    def _is_permitted(self, environ: dict[str, Any]) -> bool:
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        _, _, region, service, _ = query["X-Amz-Credential"].split("/")
        auth = S3SigV4QueryAuth(self._credentials, service, region)
        signed = "&".join(one for one in environ["QUERY_STRING"].split("&") if not one.startswith(_SIGNATURE))
        path = environ["RAW_URI"].partition("?")[0]
        request = AWSRequest(environ["REQUEST_METHOD"], f"http://{environ['HTTP_HOST']}{path}?{signed}")
        request.context["timestamp"] = query["X-Amz-Date"]
        expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        signed_at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        until = signed_at + timedelta(seconds=int(query["X-Amz-Expires"]))
        return bool(query[_SIGNATURE] == expected) and datetime.now(UTC) + timedelta(seconds=self.ahead_s) <= until
