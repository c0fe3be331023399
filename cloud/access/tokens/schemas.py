"""The key set as the contract shows it (C-070)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class PublicKey(BaseModel):
    """One public key of the set (RFC 7517)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kty: Literal["RSA"] = Field(description="Kind of key.")
    kid: str = Field(description="Name of the key; the header of every token says which key signed it.")
    use: Literal["sig"] = Field(description="The key is for signatures.")
    alg: Literal["RS256"] = Field(description="The only algorithm that this key is used with.")
    n: str = Field(description="Modulus, base64url.")
    e: str = Field(description="Exponent, base64url.")


class PublicKeySet(BaseModel):
    """The keys that verify access tokens: the current one, the next one, and retired ones whose tokens still live."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: list[PublicKey] = Field(description="Newest first.")
