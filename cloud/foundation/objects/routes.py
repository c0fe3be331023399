"""Routes of downloads. The address has a signature instead of a token (contract matrix A-080)."""

from cloud.foundation.http import PUBLIC, Host, Parts, RateClass, Route
from cloud.foundation.objects.handlers import DownloadHandlers
from cloud.foundation.objects.links import DOWNLOADS
from cloud.foundation.objects.schemas import DownloadQuery

_PATH = f"{DOWNLOADS}/{{resultId*}}"
_REFUSED = "The address was changed, cut off, or has expired."


def routes(parts: Parts) -> tuple[Route, ...]:
    h = DownloadHandlers(parts)
    return (
        Route(
            method="GET",
            path=_PATH,
            handler=h.download,
            host=Host.API,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            query=DownloadQuery,
            in_contract=False,
            response_media_type="application/octet-stream",
            responses={
                200: "The result. Its media type is that of the format.",
                206: "The range of the result that the Range header selects.",
                403: _REFUSED,
                410: "The result is no longer stored: its retention period has ended, or its file was lost.",
                416: "The range begins behind the end of the result.",
            },
            operation_id="downloadResult",
            summary="Download a result by its signed address",
            description="The address comes from the object that has the result, is valid for five minutes, and must be "
            "treated as a credential. A transfer is cut off after 15 minutes. An interrupted download can be continued "
            "with Range and If-Range; when the five minutes have passed, request a new address for that.",
            tag="Downloads",
        ),
        Route(
            method="PUT",
            path=_PATH,
            handler=h.refuse,
            host=Host.API,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            query=DownloadQuery,
            in_contract=False,
            responses={403: "Results cannot be written."},
            operation_id="refuseResultWrite",
            summary="Refuse to write a result",
            description="The signature of an address is for GET alone.",
            tag="Downloads",
        ),
    )
