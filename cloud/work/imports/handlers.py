"""Handler of uploads."""

import hashlib

from cloud.foundation.http import Json, Parts, Request, Response
from cloud.foundation.ids import time_of_ulid
from cloud.foundation.moments import write_moment
from cloud.foundation.objects import NAMED_US_MAX
from cloud.work.imports.admission import received_of
from cloud.work.imports.errors import UploadEmpty, UploadsBusy, UploadsUnavailable

KEPT_AT_ONCE_MAX = 16
"""Bodies of uploads that wait for the object store at a time: 128 MiB, a sixteenth of the systemd unit's `MemoryMax`.
Complete bodies are not in the limit of `BodyRoom`, and a slow store keeps each for half a minute."""


class UploadHandlers:
    """Handler of `POST /v1/jobs/uploads`."""

    def __init__(self, parts: Parts) -> None:
        self._received = parts.shared(received_of)
        self._kept_at_once = 0

    async def keep(self, request: Request) -> Response:
        """Store the body as a piece of a file."""
        data = request.raw_body
        if not data:
            raise UploadEmpty
        if self._received is None:
            raise UploadsUnavailable
        if self._kept_at_once >= KEPT_AT_ONCE_MAX:
            raise UploadsBusy
        self._kept_at_once += 1
        try:
            upload_id = await self._received.keep(request.actor, data)
        finally:
            self._kept_at_once -= 1
        sent_at_us = time_of_ulid(upload_id)
        assert sent_at_us is not None, "it begins with a ULID"
        document = {
            "upload_id": upload_id,
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "expires_at": write_moment(sent_at_us + NAMED_US_MAX),
        }
        return Json(document, status=201)
