"""Settings of the reports that a device or a gateway is offline."""

from pydantic import Field

from cloud.foundation.settings import Section


class SilenceSection(Section):
    """`[silence]`: the silence after which gateways and devices are reported offline."""

    gateway_s: int = Field(default=300, ge=120, le=86_400)
    """Seconds without a status from a vehicle's gateway, which sends one every minute."""
    device_s: int = Field(default=900, ge=60, le=86_400)
    """Seconds without data from an enrolled device."""

    @property
    def gateway_us(self) -> int:
        return self.gateway_s * 1_000_000

    @property
    def device_us(self) -> int:
        return self.device_s * 1_000_000
