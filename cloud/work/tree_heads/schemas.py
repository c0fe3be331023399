"""Bodies and parameters of the routes of tree heads."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cloud.foundation.http import Query, whole_up_to

TreeSize = Annotated[int, whole_up_to(2**53 - 1)]
"""Number of records of a tree."""


class InclusionQuery(Query):
    """The record and the tree of a proof of inclusion."""

    record_id: str = Field(pattern="^[A-Za-z0-9_-]{1,64}$", description="`id` of a record in a transcript.")
    tree_size: Annotated[TreeSize, Field(description="`tree_size` of a head.")]


class ConsistencyQuery(Query):
    """The two trees of a proof of consistency."""

    first: Annotated[TreeSize, Field(description="`tree_size` of a head.")]
    second: Annotated[TreeSize, Field(description="`tree_size` of another head.")]


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TimeStampShown(_Response):
    """A time stamp of a head (RFC 3161)."""

    time: str = Field(description="Time that the service confirms.")
    response: str = Field(description="TimeStampResp of the service, DER in base64.")


class TreeHeadShown(_Response):
    """The signed root over all evidence records of the tenant up to a midnight (UTC)."""

    tenant_id: str
    tree_size: int = Field(description="Number of records in the tree (RFC 9162 section 2.1).")
    root_hash: str = Field(description="Root of the tree, `sha256:` and hexadecimal digits.")
    signed_at: str
    signature_alg: Literal["ml-dsa-65"]
    signature_kid: str = Field(description="Key id, as at `/.well-known/provenance-keys/ml-dsa-65`.")
    version: str
    signature: str = Field(
        description="Over the canonical JSON (RFC 8785) of the members above, with the context `argus.prov.head.v1`."
    )
    time_stamp: TimeStampShown | None = Field(
        description="Of the SHA-256 of the canonical JSON of all members above; null without one."
    )


class TreeHeadPage(_Response):
    """A page of heads, newest first."""

    tree_heads: list[TreeHeadShown]
    next_cursor: str | None = Field(description="For the next page; null on the last.")


class InclusionShown(_Response):
    """The proof that a record is in the tree of a head (RFC 9162 section 2.1.3)."""

    record_id: str
    evidence_id: str
    leaf_index: int = Field(description="Index of the record in the tree, from 0.")
    leaf_hash: str
    proof: list[str] = Field(description="Hashes from the leaf up.")
    tree_head: TreeHeadShown


class ConsistencyShown(_Response):
    """The proof that the first tree is the beginning of the second (RFC 9162 section 2.1.4)."""

    proof: list[str]
    first: TreeHeadShown = Field(description="The head of the smaller tree.")
    second: TreeHeadShown
