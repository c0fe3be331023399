"""Load the Bluetooth stack, a class that the settings name as `package.module:Class`.

So a simulator can offer a virtual radio, and a vehicle without Bluetooth installs no stack. `stack` defines the
interface of the class.
"""

from importlib import import_module


class BleBackendUnusable(Exception):
    """The Bluetooth stack named in the settings cannot be used. `diagnosis` explains what that means and what to do."""

    def __init__(self, setting: str, reason: str, remedy: str) -> None:
        self.setting = setting
        self.diagnosis = (
            f"ble_backend = {setting!r} cannot be used: {reason}. No Bluetooth device can connect; "
            f"serial and TCP are not affected. {remedy}"
        )
        super().__init__(self.diagnosis)


def load_ble_backend(setting: str) -> type:
    """Return the class that `setting` names. Raises BleBackendUnusable where it cannot be imported."""
    module_name, colon, class_name = setting.partition(":")
    if not (colon and class_name.isidentifier() and all(part.isidentifier() for part in module_name.split("."))):
        raise BleBackendUnusable(setting, "it is not of the form module:Class", 'Write it like "package.module:Class".')
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            reason = f"there is no module {error.name}"
        else:
            reason = f"{module_name} needs the module {error.name}, which is not installed"
        raise BleBackendUnusable(setting, reason, "Install the package that has it, or correct the name.") from error
    except Exception as error:
        # A stack may fail in any way while it loads (a missing D-Bus, a library of another version).
        reason = f"{module_name} fails while it loads ({type(error).__name__}: {error})"
        raise BleBackendUnusable(setting, reason, "Repair or replace that package.") from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        what = "has no" if found is None else "has something else than a class called"
        raise BleBackendUnusable(setting, f"{module_name} {what} {class_name}", "Correct the name after the colon.")
    return found
