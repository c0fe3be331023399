"""Store, counts (for a terminal view) and witness file (for tests) of a Bluetooth device's measurements."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulators.ble.store import Kept, Store, Values
from simulators.ble.witness import BleWitness, What


@dataclass(slots=True)
class PeripheralStatus:
    """Status of a device for a terminal view. Counts begin at the start of the process."""

    address: str = ""
    on_air: bool = False
    connected: bool = False
    encrypted: bool = False
    connections: int = 0
    pairings: int = 0
    measured: int = 0
    notified: int = 0
    confirmed: int = 0
    """Confirmed indications, and records of transfers that ended in success."""
    spoilt: int = 0
    pending: int = 0
    dropped: int = 0
    deleted: int = 0
    clock_set: int = 0
    passkey: int | None = None
    """The digits that it shows now."""
    trouble: str = ""


class Ledger:
    """Recorder of each change of a measurement, such as stored or confirmed: it updates the counts, the store and the
    witness file."""

    def __init__(self, system_id: bytes, store: Store, witness: BleWitness | None) -> None:
        self.store = store
        self.status = PeripheralStatus(pending=len(store))
        self._system_id = system_id
        self._witness = witness
        self._live = 0

    def keep(self, make: Callable[[int], Values]) -> Kept:
        """Store the values that `make` returns for the next number of the store. A full store drops its oldest
        measurement."""
        oldest = next(iter(self.store.kept()), None)
        dropped = self.store.dropped
        kept = self.store.keep(make(self.store.next_number))
        self._record("kept", kept.number, kept.values)
        if self.store.dropped > dropped and oldest is not None:
            self._record("dropped", oldest.number, oldest.values)
        self.status.dropped = self.store.dropped
        self.status.pending = len(self.store)
        return kept

    def notified(self, values: Values) -> None:
        self._live += 1
        self.status.notified += 1
        self._record("notified", self._live, values)

    def spoilt(self, number: int, values: Values) -> None:
        self.status.spoilt += 1
        self._record("spoilt", number, values)

    def confirmed(self, kept: Kept) -> None:
        self.status.confirmed += 1
        self._record("confirmed", kept.number, kept.values)

    def forget(self, numbers: Sequence[int], *, deleted: bool = False) -> None:
        """Remove the measurements with these numbers from the store. With `deleted`, the client has deleted them, so
        they are also counted and written to the witness file."""
        if deleted:
            wanted = set(numbers)
            for kept in self.store.kept():
                if kept.number in wanted:
                    self.status.deleted += 1
                    self._record("deleted", kept.number, kept.values)
        self.store.drop(numbers)
        self.status.pending = len(self.store)

    def _record(self, what: What, number: int, values: Values) -> None:
        if self._witness is not None:
            self._witness.write(what, self._system_id, number, values)
