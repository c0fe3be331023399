"""A device's store as `protocols.ble.record_server` reads it: a mapping from record number to stored measurement."""

from collections.abc import Callable, Iterator, MutableMapping

from protocols.ble.record_server import StoredRecord
from protocols.ble.uuids import RECORD_ACCESS_CONTROL_POINT
from simulators.ble.ledger import Ledger
from simulators.ble.sensor import Offered, Sensor, Way
from simulators.ble.store import Kept


class Records(MutableMapping[int, StoredRecord]):
    """Mapping from record number to stored record, oldest first. Deleting a record counts as a deletion by the client.
    Adding a record is refused."""

    def __init__(self, ledger: Ledger, sensor: Sensor) -> None:
        self._ledger = ledger
        self._sensor = sensor
        self._read_at = (0, 0)
        self._index: dict[int, Kept] = {}

    def __getitem__(self, number: int) -> StoredRecord:
        kept = self.kept(number)
        return StoredRecord(number, kept.values, self._sensor.user_facing(kept.values))

    def __delitem__(self, number: int) -> None:
        self._ledger.forget([self.kept(number).number], deleted=True)

    def __setitem__(self, number: int, record: StoredRecord) -> None:
        raise TypeError("what a device measured is not written by its client")

    def __iter__(self) -> Iterator[int]:
        return iter(self._by_number())

    def __len__(self) -> int:
        return len(self._ledger.store)

    def kept(self, number: int) -> Kept:
        """Return the stored measurement with this record number. Raises KeyError."""
        return self._by_number()[number]

    def _by_number(self) -> dict[int, Kept]:
        store = self._ledger.store
        state = store.next_number, len(store)
        if state != self._read_at:
            self._read_at = state
            self._index = {self._sensor.number_of(kept.number, kept.values): kept for kept in store.kept()}
        return self._index


def control_point(service: int, write: Callable[[bytes], int]) -> Offered:
    """Return the record access control point as a characteristic of `service`. `write` processes requests."""
    return Offered(service=service, uuid=RECORD_ACCESS_CONTROL_POINT, way=Way.INDICATED, write=write)
