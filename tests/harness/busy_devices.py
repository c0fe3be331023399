"""A process of many simulated devices that send to a gateway at a steady rate, over TCP and over serial lines.

    python -m tests.harness.busy_devices PLAN.json

It creates the serial lines (pseudo-terminals behind fixed names), associates every device, prints the line `ready`,
sends reports for the given time, waits until all reports are acknowledged, and releases the associations. Finally it
prints how many reports each device sent. The devices have a separate process so that a test can measure the processor
time of the gateway alone.
"""

import asyncio
import json
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.transports.clock import Instant, SystemClock
from gateway.transports.link import Event, Link
from gateway.transports.pump import Nudge, pump
from gateway.transports.tcp import TcpLink
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.agent_events import ReportAccepted, ReportRefused
from protocols.ieee11073.association.events import Aborted
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.reports import ScanReport
from simulators.demo.serial_line import SerialLine
from tests.builders.busy_device import BusyDevice
from tests.harness.eventually import eventually

DRAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Sends:
    """The reports of one device: how often, how large and whether confirmed. `port` is a serial line's path, None for
    TCP."""

    number: int
    port: str | None
    every_s: float
    samples: int
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The devices of one run, which lasts `for_s` seconds; `tcp` is the address of the gateway's listener."""

    tcp: tuple[str, int]
    for_s: float
    devices: tuple[Sends, ...]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "Plan":
        read = json.loads(path.read_text())
        host, port = read["tcp"]
        return cls((host, port), read["for_s"], tuple(Sends(**each) for each in read["devices"]))


class Sender:
    """One device on its link. It never repeats a report: a refusal or an abort ends the run with an error."""

    def __init__(self, sends: Sends, link: Link) -> None:
        self.device = BusyDevice(sends.number, sends.samples)
        self.made = 0
        self.trouble: str | None = None
        self._sends = sends
        self._link = link
        self._clock = SystemClock()
        self._nudge = Nudge()
        self._waiting: deque[ScanReport] = deque()
        self._association = AgentAssociation(
            system_id=self.device.system_id, configurations=[self.device.configuration]
        )

    async def run(self, ready: asyncio.Barrier, for_s: float) -> None:
        async with asyncio.TaskGroup() as tasks:
            pumping = tasks.create_task(pump(self._link, self._association, self._hear, self._clock, nudge=self._nudge))
            self._association.associate(self._clock.monotonic_s())
            self._nudge()
            await eventually(lambda: self._association.state is State.OPERATING, what="an association")
            await ready.wait()
            await self._measure(for_s)
            await eventually(lambda: not self._waiting, within_s=DRAIN_S, what="every report was answered")
            self._association.release(self._clock.monotonic_s())
            self._nudge()
            await eventually(lambda: self._association.state is State.UNASSOCIATED, what="the release")
            await self._link.close()
            pumping.cancel()

    async def _measure(self, for_s: float) -> None:
        """Send one report per period for `for_s` seconds; after a stall, send the overdue reports at once."""
        began_s = self._clock.monotonic_s()
        while (due_s := (self.made + 1) * self._sends.every_s) <= for_s:
            await self._clock.sleep_until(began_s + due_s)
            self.made += 1
            report = self.device.report(self.made)
            if self._sends.confirmed:
                self._waiting.append(report)
                self._offer()
            else:
                self._association.report(report, confirmed=False, now_s=self._clock.monotonic_s())
            self._nudge()

    def _offer(self) -> None:
        if self._waiting and self._association.can_confirm:
            self._association.report(self._waiting[0], confirmed=True, now_s=self._clock.monotonic_s())

    async def _hear(self, events: Sequence[Event], at: Instant) -> Sequence[bool]:
        for event in events:
            match event:
                case ReportAccepted():
                    self._waiting.popleft()
                    self._offer()
                case ReportRefused() | Aborted():
                    self.trouble = repr(event)
                    raise RuntimeError(f"device {self._sends.number}: {event!r}")
        return [True] * len(events)


async def _connect(address: tuple[str, int], number: int) -> Link:
    """Connect from a separate source address for each device, because the listener limits connections by address."""
    _, link = await asyncio.get_running_loop().create_connection(TcpLink, *address, local_addr=(f"127.0.9.{number}", 0))
    return link


async def _main(plan: Plan) -> None:
    lines = {each.port: SerialLine(Path(each.port)) for each in plan.devices if each.port is not None}
    senders = [
        Sender(each, await (_connect(plan.tcp, each.number) if each.port is None else lines[each.port].connect()))
        for each in plan.devices
    ]
    ready = asyncio.Barrier(len(senders) + 1)
    async with asyncio.TaskGroup() as tasks:
        for sender in senders:
            tasks.create_task(sender.run(ready, plan.for_s))
        await ready.wait()
        print("ready", flush=True)
    print(json.dumps({sender.device.system_id.hex(): sender.made for sender in senders}), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(Plan.read(Path(sys.argv[1]))))
