"""The published webhook keys (A-065)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class WebhookPublicKey(BaseModel):
    """One Ed25519 key (RFC 8037)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kty: Literal["OKP"] = Field(description="Key type.")
    crv: Literal["Ed25519"] = Field(description="The curve.")
    kid: str = Field(description="Key id.")
    use: Literal["sig"] = Field(description="Use: signatures.")
    alg: Literal["EdDSA"] = Field(description="The only algorithm of this key.")
    status: Literal["next", "current", "retired"] = Field(
        description="`current` signs all deliveries, `next` follows it, and `retired` verifies earlier deliveries."
    )
    x: str = Field(description="The public key, base64url.")
    standard_webhooks_key: str = Field(description="The same key in the form of Standard Webhooks, `whpk_…`.")


class WebhookPublicKeySet(BaseModel):
    """The keys of `v1a` signatures: the current one, the next one, and, for a day, a retired one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: list[WebhookPublicKey] = Field(description="Newest first. A signature is valid if one of them verifies it.")
