"""The record store of a Bluetooth device: limited in size, with unique numbers, and intact after a power cut."""

from pathlib import Path

from protocols.ble.health_thermometer import TEMPERATURE_MEASUREMENT
from simulators.ble.ledger import Ledger
from simulators.ble.store import Store, Values
from simulators.ble.witness import BleWitness
from tests.harness.moved_clock import MovedClock


def measured(number: int) -> Values:
    return (TEMPERATURE_MEASUREMENT, bytes((0, number))), (0x2A34, b"")


def test_record_numbers_are_never_reused_after_deletion_and_restart(tmp_path: Path):
    path = tmp_path / "store"
    store = Store(path)
    for number in (1, 2, 3):
        assert store.keep(measured(number)).number == number
    store.drop([1, 2, 3, 99])
    store.close()
    again = Store(path)
    assert len(again) == 0
    assert again.keep(measured(4)).number == 4
    assert [kept.values for kept in Store(path).kept()] == [measured(4)]


def test_full_record_store_drops_the_oldest_records_and_counts_them():
    store = Store(capacity=3)
    for number in range(1, 6):
        store.keep(measured(number))
    assert [kept.number for kept in store.kept()] == [3, 4, 5]
    assert store.dropped == 2
    after = store.first_after(3)
    assert after is not None
    assert after.number == 4
    assert store.first_after(5) is None


def test_truncated_last_line_of_the_record_store_file_is_ignored(tmp_path: Path):
    path = tmp_path / "store"
    store = Store(path)
    for number in (1, 2):
        store.keep(measured(number))
    octets = path.read_bytes()
    lines = octets.splitlines(keepends=True)
    for length in range(len(octets) + 1):
        path.write_bytes(octets[:length])
        whole = sum(length >= len(b"".join(lines[: count + 1])) for count in range(2))
        assert [kept.number for kept in Store(path).kept()] == list(range(1, whole + 1))


def test_witness_file_lists_dropped_and_deleted_measurements(tmp_path: Path):
    path = tmp_path / "witness"
    ledger = Ledger(bytes(8), Store(capacity=2), BleWitness(path, MovedClock()))
    for number in range(1, 4):
        ledger.keep(measured)
        assert number == ledger.store.next_number - 1
    ledger.forget([3], deleted=True)
    told = [line.split(" ")[0::2][:2] for line in path.read_text().splitlines() if " 2a1c " in line]
    assert told == [["kept", "1"], ["kept", "2"], ["kept", "3"], ["dropped", "1"], ["deleted", "3"]]
    assert (ledger.status.dropped, ledger.status.deleted, ledger.status.pending) == (1, 1, 1)
