"""Numerics and waveforms whose batch still takes observations: held in memory, or durable in an open batch.

A batch is cut `batch_s` after its first observation, or when it is full; then it can be sent. All lanes are cut
together, so that they share a commit. Live observations that no device keeps are held in memory until the cut.
Observations whose caller waits are committed at once, and their batch stays open: the next commit writes the same row
again, with more observations. That costs hardly more than a row of its own, because SQLite writes whole pages, and it
saves an envelope. An open batch needs no recovery: after a crash it is complete as it is.

When a channel goes into alarm, all lanes are cut at once, so that the cloud gets the alarm and the curves before it.
Does not know the store or a clock: times are passed in.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter

from gateway.buffer.blocks import Block, blocks_of_lane, sample_bytes
from gateway.buffer.lanes import LaneHead, OpenBatch
from gateway.buffer.rows import Row
from gateway.buffer.settings import BufferSettings
from protocols.observation import MEASUREMENT_STATUS
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations

TIMED_LANES = frozenset((Lane.NUMERIC, Lane.WAVEFORM))
"""Lanes whose batches are cut by time. Batches of the other lanes are complete when they are committed."""

GROW_BYTES_MAX = 4096
"""Payload size from which a batch takes no more observations after its commit. Each further commit writes the whole
row again: at this size it has eight pages. A larger limit would write confirmed waveforms several times; a smaller one
would send more than three messages a second for them."""

GROW_OBSERVATIONS_MAX = 256
"""Number of observations from which a batch takes no more of them after its commit, because each further commit encodes
all of them again."""

EARLY_PART = 0.3
"""Part of `batch_s` by which a commit may cut the lanes early. Where a device reports once a second, one commit then
serves its report and the cut. The next waveforms begin a batch up to a quarter of a second after that report (their
blocks have this length), so a smaller part would let the time of the next report decide by chance."""

ALARMS_MAX = 1024
"""Maximum number of channels known to be in alarm: more than a vehicle's devices have. Beyond it, the oldest one is
forgotten; if it is still in alarm, its next value cuts again."""

_IN_ALARM = next(bit for bit, name in MEASUREMENT_STATUS.items() if name == "msmt-state-in-alarm")

_status = attrgetter("status")

Content = dict[Lane, list[DeviceObservations]]


class OpenLanes:
    """The observations that are held in memory, and the time of the next cut."""

    def __init__(self, settings: BufferSettings) -> None:
        self._settings = settings
        self._held: Content = {}
        self._held_observations: dict[Lane, int] = {}
        self._held_sample_bytes = 0
        self._since_s: float | None = None
        self._in_alarm: dict[tuple[str, int], None] = {}

    # ---- when

    @property
    def due_s(self) -> float | None:
        """Monotonic time of the next cut; None where no batch takes observations."""
        return None if self._since_s is None else self._since_s + self._settings.batch_s

    def is_due(self, now_s: float) -> bool:
        return self.due_s is not None and now_s >= self.due_s

    def is_nearly_due(self, now_s: float) -> bool:
        """Return whether a commit at `now_s` should cut the lanes too, since their cut would follow soon."""
        return self.due_s is not None and now_s >= self.due_s - EARLY_PART * self._settings.batch_s

    @property
    def is_full(self) -> bool:
        """True when the held observations of a lane fill a batch, so that the cut does not wait."""
        settings = self._settings
        return (
            max(self._held_observations.values(), default=0) >= settings.block_observations_max
            or self._held_sample_bytes >= settings.block_samples_bytes_max
        )

    def starts_alarm(self, sections: Iterable[DeviceObservations]) -> bool:
        """Return whether a channel goes into alarm with these observations, and remember the channels in alarm."""
        started = False
        for section in sections:
            if not self._in_alarm and not any(map(_status, section.observations)):
                continue  # nearly always
            for each in section.observations:
                channel = section.device.system_id, each.channel.handle
                if not each.status & _IN_ALARM:
                    self._in_alarm.pop(channel, None)
                elif channel not in self._in_alarm:
                    started = True
                    self._in_alarm[channel] = None
        while len(self._in_alarm) > ALARMS_MAX:
            del self._in_alarm[next(iter(self._in_alarm))]
        return started

    # ---- what

    def hold(self, content: Mapping[Lane, Sequence[DeviceObservations]], now_s: float) -> None:
        """Hold observations until the cut, or until a commit of their lane."""
        for lane, sections in content.items():
            self._held.setdefault(lane, []).extend(sections)
            count = sum([len(section.observations) for section in sections])
            self._held_observations[lane] = self._held_observations.get(lane, 0) + count
        self._held_sample_bytes += _curve_bytes(content)
        self._since_s = now_s if self._since_s is None else self._since_s

    def take(self, lanes: Collection[Lane]) -> Content:
        """Return the held observations of `lanes`, and hold them no longer."""
        taken = {lane: self._held.pop(lane) for lane in lanes if lane in self._held}
        for lane in taken:
            del self._held_observations[lane]
        if Lane.WAVEFORM in taken:
            self._held_sample_bytes = 0  # no other lane has samples
        return taken

    def blocks(self, content: Content, heads: Mapping[Lane, LaneHead]) -> dict[Lane, list[Block]]:
        """Return the blocks of `content` by lane. The first block of a lane with an open batch has the content of this
        batch before its own, and replaces it, unless the limits of a block would split this batch."""
        made = {}
        for lane in [each for each in Lane if each in content]:
            open_batch = heads[lane].open_batch
            if open_batch is not None:
                first, *more = blocks_of_lane(lane, [*open_batch.sections, *content[lane]], self._settings)
                if first.count >= open_batch.row.count:
                    made[lane] = [replace(first, grows=True), *more]
                    continue
            made[lane] = blocks_of_lane(lane, content[lane], self._settings)
        return made

    def leave_open(
        self,
        made: Mapping[Lane, Sequence[Block]],
        content: Content,
        ends: Mapping[Lane, Row],
        grown: Mapping[Lane, OpenBatch | None],
        heads: Mapping[Lane, LaneHead],
    ) -> None:
        """Leave the small batches of a commit open. A batch is small when it is alone in its lane and far from the
        limits of a block. `made` are the blocks of the commit, `ends` its last rows, and `grown` the batches that were
        open before it."""
        for lane in TIMED_LANES & made.keys():
            (block, *more), before = made[lane], grown[lane]
            if not more and len(block.payload) < GROW_BYTES_MAX and block.count < GROW_OBSERVATIONS_MAX:
                sections = [*(before.sections if before is not None and block.grows else ()), *content[lane]]
                heads[lane].open_batch = OpenBatch(ends[lane], len(block.payload), sections)

    def settle(self, heads: Mapping[Lane, LaneHead], now_s: float) -> None:
        """After a commit at `now_s`, determine whether a batch still takes observations. The time to the next cut
        begins with the first one."""
        if not self._held and all(head.open_batch is None for head in heads.values()):
            self._since_s = None
        elif self._since_s is None:
            self._since_s = now_s


def _curve_bytes(content: Mapping[Lane, Sequence[DeviceObservations]]) -> int:
    return sum([sample_bytes(section.observations) for section in content.get(Lane.WAVEFORM, ())])
