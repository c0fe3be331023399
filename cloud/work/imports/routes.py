"""The route of uploads. The contract does not name it, since it names no payload of `import.bulk`."""

from cloud.foundation.http import BodyKind, Host, Parts, RateClass, Route, Scopes
from cloud.foundation.objects import PIECE_BYTES_MAX
from cloud.work.imports.handlers import UploadHandlers
from cloud.work.imports.schemas import UploadKept

_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def routes(parts: Parts) -> tuple[Route, ...]:
    h = UploadHandlers(parts)
    return (
        Route(
            method="POST",
            path="/v1/jobs/uploads",
            handler=h.keep,
            host=Host.API,
            scopes=Scopes.any_of("argus:jobs:write"),
            in_contract=False,
            rate_class=RateClass.WRITE,
            body_kind=BodyKind.BYTES,
            body_bytes_max=PIECE_BYTES_MAX,
            response=UploadKept,
            responses={
                201: "The upload.",
                400: "The body is empty.",
                409: "The app or the tenant has too many uploads.",
                413: "The body has more than 8 MiB.",
                415: "The media type is not application/octet-stream.",
                503: "The installation has no store for files, or it is unavailable or busy.",
            },
            operation_id="uploadFile",
            summary="Upload a file for a job",
            description="Stores the body, or a piece of a larger file, for a job of the kind `import.bulk`, whose "
            "payload names the uploads in the order of the file. An upload belongs to its app and organisation. It is "
            "removed when its job has ended, and at the latest after two days.",
            tag="Jobs",
            request_example='{"serial_number":"SN-0001","device_class":"defib","manufacturer":"ACME"}\n',
            response_example={
                "upload_id": f"01HFXY0000000000000000000A-4-{_SHA256}",
                "size_bytes": 4,
                "sha256": _SHA256,
                "expires_at": "2026-05-09T12:00:00.000000Z",
            },
        ),
    )
