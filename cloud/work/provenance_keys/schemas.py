"""The published set of provenance keys (contract matrix C-245, A-127)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ProvenancePublicKey(BaseModel):
    """One public key that verifies records of provenance."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kid: str = Field(description="Key id, as in `signature_kid` and `root_signature_kid` of a transcript.")
    alg: Literal["ml-dsa-65"] = Field(description="Algorithm (FIPS 204).")
    public_key: str = Field(description="The 1952 bytes of the public key of FIPS 204, in base64 with padding.")
    not_before: str | None = Field(description="Time from which the key signs. Null: it does not sign yet.")
    not_after: str | None = Field(
        description="Time from which it no longer signs, up to some seconds later. Null: it signs, or will sign."
    )
    status: Literal["next", "current", "retired", "withdrawn"] = Field(
        description="`withdrawn`: the private key may be stolen; a signature proves nothing unless a tree head from "
        "before `not_after` contains the record."
    )


class ProvenanceKeySet(BaseModel):
    """All keys of the platform that sign or signed records of provenance. None is ever removed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: list[ProvenancePublicKey] = Field(description="Newest first.")
