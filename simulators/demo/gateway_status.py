"""Queries to the running gateway over its control socket, since starting a program twice a second would be too slow,
and what the demo reads in its status."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.console.control import ControlUnavailable, query
from protocols.uplink.status import StoreState


@dataclass(frozen=True, slots=True)
class CommittedBatches:
    """The last batch of each lane in a store, which is named by its epoch."""

    epoch: str = ""
    last: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, status: Mapping[str, Any] | None) -> "CommittedBatches":
        """Return the batches of a gateway with this status; None where it gave none."""
        if status is None:
            return cls()
        return cls(status["epoch"], {lane: marks["last"] for lane, marks in status["lanes"].items()})


def has_new_data(status: Mapping[str, Any], before: CommittedBatches) -> bool:
    """Return whether the cloud has acknowledged a batch that was committed after those of `before`: a gateway that was
    started again has batches of its devices' former run, which the cloud may acknowledge only now."""
    last = before.last if status["epoch"] == before.epoch else {}
    return any(marks["acked"] > last.get(lane, 0) for lane, marks in status["lanes"].items())


def has_delivered_all(status: Mapping[str, Any]) -> bool:
    """Return whether the cloud has acknowledged everything, also what was recovered from stores that were set aside. A
    gateway that was started again just now shows no backlog before it has opened its store."""
    store = status["store"]
    return (
        store["state"] != StoreState.FULL
        and store["unsent_stores"] == 0
        and not any(lane["backlog_batches"] or lane["backlog_observations"] for lane in status["lanes"].values())
    )


async def query_gateway(socket_file: Path, name: str) -> dict[str, Any] | None:
    """Send the query `name` to the gateway and return its response; None where there is no response."""
    try:
        return await query(socket_file, name)
    except ControlUnavailable:
        return None
