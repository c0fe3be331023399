"""A serial adapter on the guest's USB: a gadget made in configfs, connected to a virtual host controller.

The kernel enumerates it like a real adapter, so udev sees what it would see in a vehicle. Bytes written to the device's
end (`/dev/ttyGS0`) arrive at the adapter's port on the host's side.
"""

from dataclasses import dataclass
from pathlib import Path

GADGETS = Path("/sys/kernel/config/usb_gadget")
_ENGLISH = "strings/0x409"


@dataclass(frozen=True, slots=True)
class UsbAdapter:
    """A USB serial adapter.

    `function` is `acm` (a modem's interface, ttyACM) or `gser` (a vendor's own, ttyUSB); `socket` is the number of the
    USB socket, from 0. Cheap adapters have no serial number.
    """

    name: str
    function: str
    socket: int
    vendor_id: int
    product_id: int
    serial_number: str = ""

    def make(self) -> None:
        """Create the adapter in configfs, without plugging it in."""
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
        (self._folder / "UDC").write_text(f"dummy_udc.{self.socket}\n")

    def pull_out(self) -> None:
        (self._folder / "UDC").write_text("\n")

    @property
    def device_end(self) -> str:
        """Return the path of the port at the device's end of the adapter, such as /dev/ttyGS0."""
        number = (self._folder / "functions" / f"{self.function}.{self.name}" / "port_num").read_text().strip()
        return f"/dev/ttyGS{number}"

    @property
    def _folder(self) -> Path:
        return GADGETS / self.name
