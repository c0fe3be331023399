"""The verification page: one HTML file that checks a transcript without a network, offered as a download.

It is built with the SDK for TypeScript; the file here is a symbolic link to it, which a wheel contains as a copy. The
guide to provenance states the SHA-256 of the file, so that a reader who has the file from elsewhere can compare it.
"""

import hashlib
from pathlib import Path
from typing import Final

from cloud.foundation.http import Request, Response, strong_etag

PATH: Final = "/downloads/argus-verify.html"
CONTENT: Final = (Path(__file__).parent / "offline" / "argus-verify.html").read_bytes()
SHA256: Final = hashlib.sha256(CONTENT).hexdigest()
_HEADERS = {
    "Cache-Control": "public, max-age=300",
    "Content-Disposition": 'attachment; filename="argus-verify.html"',
}
_ETAG = strong_etag(CONTENT)


async def download(_request: Request) -> Response:
    """Return the file."""
    return Response(200, CONTENT, "text/html; charset=utf-8", headers=_HEADERS, etag=_ETAG)
