"""The kind of fault behind each error of the Bluetooth stack, and the delay before the next connection attempt."""

import pytest
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

from gateway.transports.ble.faults import WAIT_S_MAX, BleLost, FaultKind, TableFault, fault_of, wait_s


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BleakError("failed to discover services, device disconnected"), FaultKind.TABLE),
        (BleakDBusError("org.bluez.Error.InProgress", ["Operation already in progress"]), FaultKind.BUSY),
        (BleakDBusError("org.bluez.Error.Failed", ["le-connection-abort-by-local"]), FaultKind.PASSING),
        (BleakDBusError("org.bluez.Error.Failed", ["br-connection-canceled"]), FaultKind.PASSING),
        (BleakDBusError("org.bluez.Error.Failed", ["le-connection-key-missing"]), FaultKind.KEYS),
        (BleakDBusError("org.bluez.Error.Failed", ["br-connection-key-missing"]), FaultKind.KEYS),
        (BleakDBusError("org.bluez.Error.AuthenticationFailed", ["Authentication Failed"]), FaultKind.KEYS),
        (BleakDBusError("org.bluez.Error.NotPermitted", ["Notify acquired"]), FaultKind.BUSY),
        (BleakDBusError("org.bluez.Error.Failed", ["le-connection-concurrent-connection-limit"]), FaultKind.CROWDED),
        (BleakDBusError("org.freedesktop.DBus.Error.UnknownObject", ["no object"]), FaultKind.ABSENT),
        (BleakDBusError("org.freedesktop.DBus.Error.Spawn.ChildExited", ["launch helper"]), FaultKind.OFF),
        (BleakDBusError("org.bluez.Error.NotReady", ["Resource Not Ready"]), FaultKind.OFF),
        (BleakDBusError("org.freedesktop.DBus.Error.NoReply", ["no reply"]), FaultKind.OFF),
        (BleakDeviceNotFoundError("F0", "Device with address F0 was not found."), FaultKind.ABSENT),
        (BleakError("device 'dev_F0_F1' not found"), FaultKind.ABSENT),
        (BleakError("adapter 'hci0' not found"), FaultKind.OFF),
        (
            BleakBluetoothNotAvailableError("none", BleakBluetoothNotAvailableReason.NO_BLUETOOTH),
            FaultKind.OFF,
        ),
        (BleakGATTProtocolError(0x0F), FaultKind.KEYS),
        (TimeoutError(), FaultKind.SILENT),
        (TimeoutError("PIN or Key Missing"), FaultKind.KEYS),
        (EOFError(), FaultKind.OFF),
        (ConnectionResetError("reset"), FaultKind.OFF),
        (TableFault("it showed no services"), FaultKind.TABLE),
        (TableFault("it lacks 0x2A5F", stale=True), FaultKind.STALE),
        (BleLost("it went out of range"), FaultKind.PASSING),
        (ValueError("something new"), FaultKind.OTHER),
    ],
)
def test_error_of_the_bluetooth_stack_is_mapped_to_a_fault_kind(error, kind):
    fault = fault_of(error)
    assert fault.kind is kind
    assert fault.words


def test_unknown_error_of_the_bluetooth_stack_is_reported_with_its_class_and_truncated_text():
    words = fault_of(ValueError("x" * 5000)).words
    assert words.startswith("ValueError: xxx")
    assert len(words) < 200


@pytest.mark.parametrize("kind", list(FaultKind))
def test_connect_retry_delays_grow_to_a_maximum_and_have_jitter(kind):
    waits_s = [wait_s(kind, failures, 0.5) for failures in range(1, 100)]
    assert waits_s == sorted(waits_s)
    assert waits_s[0] < waits_s[1]
    assert wait_s(kind, 1, 0.0) < wait_s(kind, 1, 0.99)
    assert waits_s[-1] <= WAIT_S_MAX
