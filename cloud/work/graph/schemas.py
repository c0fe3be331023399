"""The payload of `graph.compute`, and the state from which a job resumes."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloud.foundation.http import MomentText
from cloud.foundation.moments import read_moment

BETWEEN_MAX = 100
"""Nodes between which one job computes the shortest paths. Each takes one walk over the graph, and 100 nodes have
4 950 paths."""
TOP_MAX = 10_000
"""Rows of the list of central nodes: more than a person reads, and less than a graph has nodes."""
NODE_LENGTH_MAX = 256


class Analysis(StrEnum):
    """The analyses of a graph."""

    COMPONENTS = "components"
    CENTRALITY = "centrality"
    SHORTEST_PATHS = "shortest_paths"
    COMMUNITIES = "communities"


class NodeKind(StrEnum):
    """The kinds of nodes. A node is named `KIND/ID`, an entry of a sanctions list `list_entry/LIST/REFERENCE`."""

    INCIDENT = "incident"
    ENCOUNTER = "encounter"
    CREW_MEMBER = "crew_member"
    VEHICLE = "vehicle"
    DEVICE = "device"
    PROFILE = "profile"
    LIST_ENTRY = "list_entry"
    WALLET_ADDRESS = "wallet_address"


class NodeGroup(StrEnum):
    """The parts of a graph. Each is read with the nodes that it is joined with."""

    ENCOUNTERS = "encounters"
    PROFILES = "profiles"


_OF_US = "|".join(kind for kind in NodeKind if kind not in (NodeKind.LIST_ENTRY, NodeKind.WALLET_ADDRESS))
_FOREIGN = "[A-Za-z0-9._~%-]+"
"""Characters of a reference or an address: the others are written as in URLs, `%20`."""
NodeName = Annotated[
    str,
    Field(
        max_length=NODE_LENGTH_MAX,
        pattern=f"^(({_OF_US})/[A-Za-z0-9_-]{{1,64}}|{NodeKind.LIST_ENTRY}/[A-Za-z0-9_-]{{1,64}}/{_FOREIGN}"
        f"|{NodeKind.WALLET_ADDRESS}/{_FOREIGN})$",
    ),
]


class GraphPayload(BaseModel):
    """The analyses to make, and the encounters and profiles whose graph they examine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    analyses: tuple[Analysis, ...] = Field(min_length=1, max_length=len(Analysis), description="The analyses to make.")
    nodes: tuple[NodeGroup, ...] = Field(
        default=(NodeGroup.ENCOUNTERS,),
        min_length=1,
        max_length=len(NodeGroup),
        description="The parts of the graph: `encounters` with incidents, vehicles, crew members and devices; "
        "`profiles` with the entries of sanctions lists that they hit, and the addresses of wallets.",
    )
    since: MomentText | None = Field(
        default=None, description="Encounters and profiles that were created from this time on."
    )
    until: MomentText | None = Field(
        default=None, description="Encounters and profiles that were created before this time."
    )
    between: tuple[NodeName, ...] = Field(
        default=(),
        max_length=BETWEEN_MAX,
        description="Nodes between which `shortest_paths` are computed, at least two, such as `vehicle/AMB-42`.",
    )
    top: int = Field(default=1_000, ge=1, le=TOP_MAX, description="Number of nodes in the result of `centrality`.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.since is not None and self.until is not None and read_moment(self.since) >= read_moment(self.until):
            raise ValueError("since must be before until")
        if len(set(self.analyses)) < len(self.analyses):
            raise ValueError("name each analysis once")
        if len(set(self.nodes)) < len(self.nodes):
            raise ValueError("name each part of nodes once")
        if Analysis.SHORTEST_PATHS in self.analyses:
            if len(set(self.between)) < max(2, len(self.between)):
                raise ValueError("shortest_paths needs at least two different nodes in between")
        elif self.between:
            raise ValueError("between belongs to shortest_paths, which is not among the analyses")
        return self


class GraphState(BaseModel):
    """The progress of a job. The graph is read in pages into an upload that is never finished, so that all analyses
    examine the same graph; the result is written into another one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    snapshot: dict[str, Any] | None = None
    """Mark of the upload with the graph; None before the first step."""
    result: dict[str, Any] | None = None
    """Mark of the upload with the result; None before the first step."""
    group: int = 0
    """Place of the part of the graph that is read, in the `nodes` of the payload."""
    after: str = ""
    """The last encounter or profile of this part that was read."""
    encounters: int = 0
    profiles: int = 0
    edges: int = 0
    is_read: bool = False
    done: int = 0
    """Number of finished analyses."""
    joined: tuple[str, int, str] | None = None
    """Name, size and SHA-256 of the object with the whole result; None before the parts are joined."""

    @property
    def marks(self) -> tuple[dict[str, Any] | None, ...]:
        """The marks of both uploads."""
        return self.snapshot, self.result
