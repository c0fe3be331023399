"""Read the samples of an encounter's waveforms, a page at a time.

The samples are the integers that the device sent, with the slope and the offset that convert them. A block states
whether it follows the block before it in its channel without a gap, so that a plot draws no line where nothing was
measured.
"""

from contextlib import aclosing

import orjson

from cloud.clinical.encounter_data.observation_lines import described
from cloud.clinical.encounter_data.page import Page
from cloud.clinical.encounter_data.selection import Wanted
from cloud.clinical.encounter_data.waveform_blocks import Block, WaveformBlocks
from cloud.clinical.observations import DeviceChannel, Place
from cloud.foundation.db import Database
from cloud.foundation.viewer import Viewer
from protocols.observation import status_names
from protocols.observation_record import uncertainty_ms, utc_text

GAP_US = 20_000
"""Time between the end of a block and the next one above which there is a gap, if a sample takes less: twice the
resolution of a device's clock (a hundredth of a second)."""


class WaveformSamples:
    """Reads pages of samples."""

    def __init__(self, database: Database, blocks: WaveformBlocks) -> None:
        self._database = database
        self._blocks = blocks

    async def page(self, viewer: Viewer, encounter_id: str, wanted: Wanted, *, after: Place | None, limit: int) -> Page:
        """Return the blocks after a place (None: from the first): at least one, and at most `limit` samples. Raises
        `EncounterUnknown`."""
        async with self._database.read() as tx:
            opened = await self._blocks.open(tx, viewer, encounter_id, wanted)
        lines: list[str] = []
        count = 0
        last: Place | None = None
        follows = _Sequence()
        async with aclosing(self._blocks.read(opened, wanted, after=after)) as found:
            async for block in found:
                count += len(block.data) // block.scale.format.width_bytes
                if lines and count > limit:
                    return Page(lines, last)
                lines.append(_line(block, follows.add(block)))
                last = block.place
        return Page(lines, None)


class _Sequence:
    """The ends of the last blocks of each channel."""

    def __init__(self) -> None:
        self._ends: dict[DeviceChannel, float] = {}

    def add(self, block: Block) -> bool | None:
        """Return whether a block begins where the block before it in its channel ends; None for the first one."""
        scale = block.scale
        period_us = scale.period_s * 1_000_000
        end_us = self._ends.get(block.channel)
        self._ends[block.channel] = block.at_us + period_us * (len(block.data) // scale.format.width_bytes)
        return None if end_us is None else abs(block.at_us - end_us) <= max(period_us, GAP_US)


def _line(block: Block, follows: bool | None) -> str:
    scale = block.scale
    return orjson.dumps(
        {
            **described(block.channel),
            "observed_at": utc_text(block.at_us),
            "uncertainty_ms": uncertainty_ms(block.uncertainty_us),
            "sample_period_s": scale.period_s,
            "slope": scale.slope,
            "offset": scale.offset,
            "follows": follows,
            "status": status_names(block.status),
            "flags": ["unverified_link"] if block.channel.device.unverified_link else [],
            "samples": block.samples.tolist(),
        }
    ).decode()
