"""Bodies of share links: the request with which their page reads its hand-over, and the links of an encounter."""

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


class ListedShareLink(BaseModel):
    """A share link of an encounter. It has nothing by which the link could be opened."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="The link, by which the audit trail names it.")
    vehicle_id: str = Field(description="The vehicle whose crew made it.")
    added_at: str = Field(description="Time at which the cloud received it, UTC.")
    revoked_at: str | None = Field(description="Time of its revocation, UTC; null for one that was not revoked.")


class ListedShareLinks(BaseModel):
    """The share links of an encounter, oldest first."""

    model_config = ConfigDict(frozen=True)

    data: list[ListedShareLink] = Field(description="The links, also revoked and expired ones.")
