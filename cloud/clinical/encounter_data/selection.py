"""The choice of a request: device, codes and time."""

from dataclasses import dataclass
from typing import Any

from cloud.clinical.observations import DeviceChannel, Selection
from protocols.ieee11073.nomenclature import name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The data that a request selects. Times are µs since 1970 UTC; `codes` None: all."""

    since_us: int | None = None
    until_us: int | None = None
    device_id: str | None = None
    codes: frozenset[str] | None = None

    def selection(self, *, from_us: int | None = None, waveforms: bool = False) -> Selection:
        """Return the selection of these observations, or of these waveforms in rows; `from_us` None: from the
        beginning."""
        limits: dict[str, Any] = {}
        if (begin_us := self.since_us if from_us is None else from_us) is not None:
            limits["from_us"] = begin_us
        if self.until_us is not None:
            limits["until_us"] = self.until_us
        accepts = self._has_waveform if waveforms else self._has
        return Selection(device_id=self.device_id, channels=accepts, codes=self.codes, posted=not waveforms, **limits)

    def names(self, mdc_code: str) -> bool:
        """Return whether a code is selected."""
        return self.codes is None or mdc_code in self.codes

    def _has_waveform(self, channel: DeviceChannel) -> bool:
        return channel.channel.array is not None and self.names(mdc_code_of(channel))

    def _has(self, channel: DeviceChannel) -> bool:
        if channel.channel.array is not None:
            return False
        return self.names(mdc_code_of(channel)) or any(self.names(name_of(one)) for one in channel.channel.components)


def mdc_code_of(channel: DeviceChannel) -> str:
    return channel.mdc_code or name_of(channel.channel.type)
