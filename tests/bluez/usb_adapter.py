"""A serial adapter on the guest's own USB: a device made in configfs, behind the socket of a virtual host controller.

The kernel enumerates it as it does a real one, so udev sees what it would see in a vehicle. Bytes written to its device
end (`/dev/ttyGS0`) arrive at the port that the adapter has on the host's side.
"""

from dataclasses import dataclass
from pathlib import Path

GADGETS = Path("/sys/kernel/config/usb_gadget")
_ENGLISH = "strings/0x409"


@dataclass(frozen=True, slots=True)
class UsbAdapter:
    """A USB serial adapter. `function` is `acm` (a modem's interface, ttyACM) or `gser` (a vendor's own, ttyUSB).

    `socket` counts from 0. Cheap adapters have no serial number.
    """

    name: str
    function: str
    socket: int
    vendor_id: int
    product_id: int
    serial_number: str = ""

    def make(self) -> None:
        """Describe the adapter to the kernel; it is not plugged in yet."""
        folder = self._folder
        (folder / _ENGLISH).mkdir(parents=True)
        (folder / "idVendor").write_text(f"{self.vendor_id:#06x}")
        (folder / "idProduct").write_text(f"{self.product_id:#06x}")
        if self.serial_number:
            (folder / _ENGLISH / "serialnumber").write_text(self.serial_number)
        function = folder / "functions" / f"{self.function}.{self.name}"
        function.mkdir()
        configuration = folder / "configs" / "c.1"
        configuration.mkdir()
        (configuration / function.name).symlink_to(function)

    def plug_in(self) -> None:
        """Put the adapter into its socket."""
        (self._folder / "UDC").write_text(f"dummy_udc.{self.socket}\n")

    def pull_out(self) -> None:
        """Take the adapter out of its socket."""
        (self._folder / "UDC").write_text("\n")

    @property
    def device_end(self) -> str:
        """Return the port of the device behind the adapter."""
        number = (self._folder / "functions" / f"{self.function}.{self.name}" / "port_num").read_text().strip()
        return f"/dev/ttyGS{number}"

    @property
    def _folder(self) -> Path:
        return GADGETS / self.name
