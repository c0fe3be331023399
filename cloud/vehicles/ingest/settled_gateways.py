"""The gateways of which this process knows that no other one has staged batches."""

from collections.abc import Iterable

from cloud.vehicles.fleet import GatewayName

GATEWAYS_MAX = 20_000
"""Gateways whose names are cached."""


class SettledGateways:
    """A cache of the gateways whose batches all came to this process, or have rows since they came to another one.
    `moves` is the number of times at which gateways may have moved among the processes."""

    def __init__(self) -> None:
        self._names: set[GatewayName] = set()
        self.moves = 0

    def __contains__(self, name: GatewayName) -> bool:
        return name in self._names

    def add(self, names: Iterable[GatewayName], moves: int) -> None:
        """Note that no other process has staged batches of these gateways, unless they may have moved since `moves`
        was read."""
        if moves != self.moves:
            return
        if len(self._names) >= GATEWAYS_MAX:
            self._names.clear()
        self._names.update(names)

    def forget(self) -> None:
        """Note that gateways may have moved to or from other processes."""
        self.moves += 1
        self._names.clear()
