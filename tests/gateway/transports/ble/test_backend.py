"""The settings name the class of the Bluetooth stack; an error for a wrong name gives reason and remedy."""

import pytest

from gateway.transports.ble.backend import BleBackendUnusable, load_ble_backend


def test_bluetooth_backend_class_is_loaded_by_module_and_class_name():
    assert load_ble_backend("tests.harness.moved_clock:MovedClock").__name__ == "MovedClock"


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("", "not of the form module:Class"),
        ("tests.harness.moved_clock", "not of the form module:Class"),
        ("tests.harness.moved_clock:", "not of the form module:Class"),
        ("tests.harness:a.b", "not of the form module:Class"),
        (".relative:Class", "not of the form module:Class"),
        ("no_such_stack.bluez:Radio", "there is no module no_such_stack"),
        ("tests.no_such_stack:Radio", "there is no module tests.no_such_stack"),
        ("tests.harness.moved_clock:Radio", "has no Radio"),
        ("tests.harness.moved_clock:asyncio", "something else than a class called asyncio"),
    ],
)
def test_invalid_bluetooth_backend_name_is_reported_with_the_reason(setting, reason):
    with pytest.raises(BleBackendUnusable, match="serial and TCP are not affected") as refused:
        load_ble_backend(setting)
    assert reason in refused.value.diagnosis
    assert repr(setting) in refused.value.diagnosis


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_library_for_radios", "needs the module no_such_library_for_radios"),
        ("raise RuntimeError('no D-Bus here')", "fails while it loads (RuntimeError: no D-Bus here)"),
    ],
)
def test_bluetooth_backend_that_fails_to_load_is_reported_with_the_reason(tmp_path, monkeypatch, source, reason):
    (tmp_path / "broken_radio_stack.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BleBackendUnusable) as refused:
        load_ble_backend("broken_radio_stack:Radio")
    assert reason in refused.value.diagnosis
