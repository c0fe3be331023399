"""Keep the estimate of a device's clocks up to date, and set the device's clock where the policy allows that.

Each report of the device about its clocks first updates `device_clock`, so that later reports of the same read use the
new estimate. After that, the policy decides whether to set the clock. The command is sent once all events of this read
are handled, before other requests for data are sent. From the command to the device's next report of its clock, both
the previous and the new time are expected. The result is recorded as an event and in the device's history.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from gateway.sessions.clocks.policy import ClockState, Verdict, judge, keeps_measurements
from gateway.sessions.context import SessionContext
from gateway.sessions.devices.history import ClockSetting, SettingOutcome
from gateway.transports.clock import Instant
from protocols.device_time import DeviceTime, TimeKind
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.ieee11073.association import events, manager_events
from protocols.ieee11073.association.clock_setting import WallClock
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.refusals import UNANSWERED
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration

_HUNDREDTH_US = 10_000
_MINUTE_US = 60_000_000
_DATES = (TimeKind.ABSOLUTE, TimeKind.BASE_OFFSET)
_ADJUSTMENT_OCTETS = 6
_INEFFECTIVE = "it confirmed the setting of its clock and shows another time"


class ClockCommands(Protocol):
    """Commands to set the device's clock, sent as soon as a request may be sent. The result follows as an event."""

    @property
    def settable(self) -> TimeKind | None:
        """Kind of the device's clock that may be set; None if the device has no such clock."""

    def set_time(self, wall: WallClock, now_s: float) -> None:
        """Set the device's clock to the time of `wall`. Raises `LocalProtocolError` if the clock cannot be set now."""


@dataclass(slots=True)
class _Setting:
    """Pending command to set a device's clock. `error_us`: the error of the clock that the command corrects. `agreed`:
    the device has confirmed the command."""

    error_us: int
    uncertainty_us: int
    agreed: bool = False


class ClockKeeping:
    """Estimation and setting of the device's clocks in one session. Call `follow` for each event that is no
    measurement, in order."""

    def __init__(self, context: SessionContext, commands: ClockCommands) -> None:
        self._context = context
        self._commands = commands
        self._forget()

    def _forget(self) -> None:
        self._keeps_measurements = False
        self._notes_adjustments = False
        self._capabilities = 0
        self._setting: _Setting | None = None
        self._recorded: set[Verdict] = set()

    def begin(self, system_id: str, *, keeps_measurements: bool) -> None:
        """Begin to estimate and set the clocks of a newly connected device. `keeps_measurements`: the device may hold
        measurements that it has not sent."""
        self._forget()
        self._keeps_measurements = keeps_measurements
        for kind in _DATES:  # the outcome of an earlier command shows in the device's next response
            self._context.clocks.clock(system_id, kind).cancel_setting()

    async def follow(self, event: Event, system_id: str, instant: Instant) -> None:
        """Handle one event of the associated device `system_id`; ignore events that do not concern a clock."""
        match event:
            case events.Associated():
                self.begin(system_id, keeps_measurements=False)
            case events.ConfigurationAgreed():
                self._learn_configuration(event)
            case manager_events.MdsRead():
                info = event.identity.time_info
                self._capabilities = 0 if info is None else info.mds_time_cap_state
                self._learn_adjustment(system_id, event.identity.attributes)
            case manager_events.MdsChanged():
                self._learn_adjustment(system_id, event.attributes)
                self._learn_time(system_id, event.date_and_time, event.received_s)
            case manager_events.ClockRead():
                await self._learn_reading(event, system_id, instant)
            case manager_events.ClockCommanded():
                if (local_us := event.time.local_us()) is not None:
                    self._context.clocks.clock(system_id, event.time.kind).expect_setting(local_us, _us(event.sent_s))
            case manager_events.ClockSet():
                await self._record_set(event, system_id, instant)
            case manager_events.ClockNotSet():
                await self._record_not_set(event, system_id, instant)
            case _:
                pass

    def _learn_configuration(self, event: events.ConfigurationAgreed) -> None:
        try:
            configuration = Configuration.decode(event.config_id, event.octets)
        except RemoteProtocolError:  # cannot occur, since the association decoded it; assume the worse case
            self._keeps_measurements = True
        else:
            self._keeps_measurements = keeps_measurements(configuration)

    def _learn_adjustment(self, system_id: str, attributes: tuple[tuple[int, bytes], ...]) -> None:
        """Learn Date-and-Time-Adjustment: the signed hundredths of a second by which the device's clock was moved."""
        octets = dict(attributes).get(Attribute.DATE_AND_TIME_ADJUSTMENT)
        if octets is None or len(octets) != _ADJUSTMENT_OCTETS:
            return
        self._notes_adjustments = True
        moved_us = int.from_bytes(octets, "big", signed=True) * _HUNDREDTH_US
        for kind in _DATES:
            self._context.clocks.clock(system_id, kind).adjustment_us = moved_us

    def _learn_time(self, system_id: str, time: DeviceTime | None, received_s: float) -> None:
        if time is not None and (local_us := time.local_us()) is not None:
            self._context.clocks.clock(system_id, time.kind).observe(local_us, _us(received_s), live=True)

    async def _learn_reading(self, event: manager_events.ClockRead, system_id: str, instant: Instant) -> None:
        context, wall_offset_us = self._context, _wall_offset_us(instant)
        for time in event.times:
            if (local_us := time.local_us()) is None:
                continue
            clock = context.clocks.clock(system_id, time.kind)
            clock.observe_reading(local_us, _us(event.answered_s), sent_us=_us(event.asked_s))
            relation = clock.relation()
            if relation.offset_us is not None:
                offset_us = wall_offset_us + relation.offset_us
                context.histories.of(system_id, instant.wall_us).set_clock(
                    time.kind, offset_us, relation.uncertainty_us, instant.wall_us, clock.drift_ppm()
                )
        await self._judge(system_id, instant)

    async def _judge(self, system_id: str, instant: Instant) -> None:
        context, before = self._context, self._setting
        state = self._state(system_id, instant)
        if (before is not None and not before.agreed) or state.error_us is None:
            return
        self._setting = None
        history = context.clock_rules.history(system_id)
        verdict = judge(context.clock_rules.policy, state, history)
        if before is not None and verdict is Verdict.RIGHT:
            history.failed_attempts = 0
        elif before is not None:
            history.failed_attempts += 1
            await context.journal.record("device.clock_not_set", system_id, why=_INEFFECTIVE)
        if verdict is Verdict.SET:
            self._command(state.error_us, state.uncertainty_us, instant)
            history.attempted_s = instant.monotonic_s
        elif verdict.left and verdict not in self._recorded:
            self._recorded.add(verdict)
            self._record(system_id, SettingOutcome.LEFT, verdict.value, state.error_us, state.uncertainty_us, instant)
            await context.journal.record(
                "device.clock_left", system_id, why=verdict.value, off_ms=state.error_us // 1000
            )

    def _state(self, system_id: str, instant: Instant) -> ClockState:
        context, kind = self._context, self._commands.settable
        error_us, uncertainty_us = None, 0
        if kind is not None:
            relation = context.clocks.clock(system_id, kind).relation()
            uncertainty_us = relation.uncertainty_us + instant.wall_error_us
            if relation.offset_us is not None:
                zone_us = self._zone_min(kind, instant) * _MINUTE_US
                error_us = -(_wall_offset_us(instant) + relation.offset_us) - zone_us
        return ClockState(
            settable=kind,
            capabilities=self._capabilities,
            error_us=error_us,
            uncertainty_us=uncertainty_us,
            keeps_measurements=self._keeps_measurements,
            notes_adjustments=self._notes_adjustments,
            wall_synchronised=context.clock.synchronised,
            now_s=instant.monotonic_s,
        )

    def _zone_min(self, kind: TimeKind, instant: Instant) -> int:
        """Return the offset from UTC in minutes that a device clock of this kind should show. The offset is 0 for a
        BaseOffsetTime, whose time is UTC."""
        return self._context.clock_rules.policy.zone_min(instant.wall_us) if kind is TimeKind.ABSOLUTE else 0

    def _command(self, error_us: int, uncertainty_us: int, instant: Instant) -> None:
        zone_min = self._context.clock_rules.policy.zone_min(instant.wall_us)
        # Where the association has just ended, or its queue is full, the next check decides.
        with suppress(LocalProtocolError):
            self._commands.set_time(WallClock(_wall_offset_us(instant), zone_min), instant.monotonic_s)
            self._setting = _Setting(error_us, uncertainty_us)

    async def _record_set(self, event: manager_events.ClockSet, system_id: str, instant: Instant) -> None:
        self._context.clocks.clock(system_id, event.time.kind).confirm_setting(_us(event.answered_s))
        if self._setting is None:
            return
        self._setting.agreed = True
        error_us, uncertainty_us = self._setting.error_us, self._setting.uncertainty_us
        self._record(system_id, SettingOutcome.SET, "", error_us, uncertainty_us, instant)
        await self._context.journal.record(
            "device.clock_set", system_id, was_off_ms=error_us // 1000, uncertainty_ms=uncertainty_us // 1000
        )

    async def _record_not_set(self, event: manager_events.ClockNotSet, system_id: str, instant: Instant) -> None:
        """Record that the device refused a command to set its clock or did not respond. A device that did not respond
        may have set its clock; the next reading of the clock shows this."""
        self._context.clocks.clock(system_id, event.time.kind).cancel_setting()
        setting, self._setting = self._setting, None
        if setting is None:
            return
        self._context.clock_rules.history(system_id).failed_attempts += 1
        outcome = SettingOutcome.UNANSWERED if event.why == UNANSWERED else SettingOutcome.REFUSED
        self._record(system_id, outcome, event.why, setting.error_us, setting.uncertainty_us, instant)
        await self._context.journal.record("device.clock_not_set", system_id, why=event.why)

    def _record(
        self, system_id: str, outcome: SettingOutcome, why: str, error_us: int, uncertainty_us: int, instant: Instant
    ) -> None:
        self._context.histories.of(system_id, instant.wall_us).add_clock_setting(
            ClockSetting(
                at_us=instant.wall_us, outcome=outcome, why=why, offset_us=-error_us, uncertainty_us=uncertainty_us
            )
        )


def _wall_offset_us(instant: Instant) -> int:
    return instant.wall_us - round(instant.monotonic_s * 1_000_000)


def _us(monotonic_s: float) -> int:
    return round(monotonic_s * 1_000_000)
