"""The key set as the contract shows it (C-070)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class PublicKey(BaseModel):
    """One public key of the set (RFC 7517)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kty: Literal["RSA"] = Field(description="Key type.")
    kid: str = Field(description="Key id, as in the header of the tokens that it signed.")
    use: Literal["sig"] = Field(description="Use: signatures.")
    alg: Literal["RS256"] = Field(description="The only algorithm of this key.")
    n: str = Field(description="Modulus, base64url.")
    e: str = Field(description="Exponent, base64url.")


class PublicKeySet(BaseModel):
    """The keys that verify access tokens: the current one, the next one, and retired ones with unexpired tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: list[PublicKey] = Field(description="Newest first.")
