"""Routes of share links, on the docs host. They are outside of the public contract: their client is the page itself."""

from cloud.clinical.handover.handlers import ShareHandlers
from cloud.clinical.handover.schemas import SharedHandoverPart, SharedHandoverRequest
from cloud.foundation.http import PUBLIC, Host, Parts, RateClass, Route
from protocols.epcr.sharing import PAGE_PATH

BODY_BYTES_MAX = 512
"""A token, a language and an order."""


def routes(parts: Parts) -> tuple[Route, ...]:
    h = ShareHandlers(parts)
    return (
        Route(
            method="GET",
            path=PAGE_PATH,
            handler=h.page,
            host=Host.DOCS,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            responses={200: "The page, which has no data of a patient."},
            summary="Open a share link",
            tag="ePCR",
            in_contract=False,
        ),
        Route(
            method="POST",
            path=f"{PAGE_PATH}/view",
            handler=h.view,
            host=Host.DOCS,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            body=SharedHandoverRequest,
            body_bytes_max=BODY_BYTES_MAX,
            response=SharedHandoverPart,
            responses={
                200: "The hand-over.",
                404: "There is no hand-over at this link.",
                410: "The link was revoked or has expired.",
                422: "The care record has too many field changes to be read at once.",
            },
            summary="Read the hand-over of a share link",
            tag="ePCR",
            in_contract=False,
        ),
    )
