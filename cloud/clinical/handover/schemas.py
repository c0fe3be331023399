"""Body and response of the request with which the page of a share link reads its hand-over."""

from pydantic import BaseModel, ConfigDict, Field

from protocols.epcr.handover.language import Language
from protocols.epcr.handover.order import Order
from protocols.epcr.sharing import TOKEN_LENGTH


class SharedHandoverRequest(BaseModel):
    """The token of a link. It is in the body, because addresses are logged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: str = Field(max_length=2 * TOKEN_LENGTH, repr=False, description="Fragment of the link's address.")
    language: Language = Field(default=Language.ENGLISH, description="Language of the hand-over.")
    order: Order = Field(default=Order.IMIST_AMBO, description="Order of the items.")


class SharedHandoverPart(BaseModel):
    """A hand-over as HTML, and its state."""

    html: str = Field(description="The content of the page.")
    arrived: bool = Field(description="The patient has arrived: the hand-over does not change any more.")
    expires_at: str = Field(description="Time at which the link expires, RFC 3339 in UTC.")
