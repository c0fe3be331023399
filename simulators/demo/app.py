"""Demo as a whole: set up, start the processes in order, keep them running, and stop all of them.

With `--for` the demo ends like the drive of an ambulance. The devices stop first, the gateway delivers its remaining
data to the cloud, and only afterwards do the other processes stop. `demo.json` is written when all processes work.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulators.demo import broker, configuration, demo_file
from simulators.demo.bootstrap import set_up
from simulators.demo.care import write_care
from simulators.demo.children import Child, Children, Recipe
from simulators.demo.commands import program
from simulators.demo.configuration import Choices
from simulators.demo.dispatch import send_call
from simulators.demo.export import Exhibits, make_exhibits
from simulators.demo.fleet import BLE_DEVICES, DEMO_DEVICES
from simulators.demo.gateway_status import CommittedBatches, has_delivered_all, has_new_data, query_gateway
from simulators.demo.pairing import pair_devices
from simulators.demo.plan import Plan
from simulators.demo.readiness import DemoNotReady, eventually, listens, responds_over_http

READY_S = 60.0
DRAIN_S = 60.0
"""Time to wait, at the end of a run with `--for`, for the cloud to acknowledge the gateway's remaining data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Command-line options of the demo. `for_s` None: run until stopped. `replay` is the WFDB record that the monitor
    plays; None: the monitor measures the simulated patient."""

    choices: Choices
    for_s: float | None = None
    replay: Path | None = None
    scenario: str = "stable"
    with_devices: bool = True
    waveforms_confirmed: bool = True


class Demo:
    """One run of the demo. `said` is called with a sentence for each step, for the terminal."""

    def __init__(
        self, plan: Plan, wishes: Wishes, said: Callable[[str], None], *, inherited: tuple[int, ...] = ()
    ) -> None:
        """Prepare a demo. Every process of the demo inherits the file descriptors `inherited`, which hold the lock of
        the module `occupancy`."""
        self._inherited = inherited
        self.plan = plan
        self.wishes = wishes
        self.broker_kind = ""
        self.ready = False
        self._said = said
        self._children = Children(self._pids_changed)
        self._devices: Child | None = None
        self._committed = CommittedBatches()
        self._exhibits = Exhibits()
        self._care: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    @property
    def children(self) -> list[Child]:
        return list(self._children)

    @property
    def control_socket(self) -> Path:
        return self.plan.file("gateway", "control.sock")

    def stop(self) -> None:
        """Request the end of the demo. `run` returns when all processes have stopped."""
        self._stop.set()

    async def run(self, watched: Callable[["Demo"], None] = lambda demo: None) -> None:
        """Run the demo until its end; call `watched` once it is ready. Raises DemoNotReady, CommandFailed,
        PlanUnusable."""
        async with asyncio.TaskGroup() as tasks:
            try:
                if await self._unless_stopped(self._come_up(tasks)):
                    watched(self)
                    await self._until_the_end()
            finally:
                if self._care is not None:
                    self._care.cancel()
                await self._children.stop()

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Await `work` and return True, or cancel it and return False when the end of the demo is requested first."""
        working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
            return working.done()
        finally:
            for task in (working, stopped):
                task.cancel()
            await asyncio.wait((working, stopped))

    async def _come_up(self, tasks: asyncio.TaskGroup) -> None:
        """Set up the missing configuration, and start each process when the preceding one is ready."""
        plan, choices = self.plan, self.wishes.choices
        for folder in ("log", "ports", "witness", "gateway", "ble"):
            plan.file(folder).mkdir(exist_ok=True, mode=0o700)
        configuration.make_radio_folder(plan)
        plan.file(demo_file.DEMO_FILE).unlink(missing_ok=True)
        gateway_config = configuration.write_gateway_settings(plan, choices)
        chosen = broker.prepare(plan, choices.broker)
        cloud_config = configuration.write_cloud_settings(plan, choices, chosen)
        self.broker_kind = chosen.kind
        self._said(f"broker: {chosen.kind}" + (f" ({chosen.why})" if chosen.why else ""))
        self._said("setting up tenants, vehicle, gateway and devices")
        self.plan = plan = await set_up(plan, gateway_config, cloud_config, DEMO_DEVICES, chosen.commands)
        configuration.write_gateway_settings(plan, choices)
        self._children.watch_logs(tasks)
        self._start("broker", chosen.argv, tasks)
        await eventually("the broker", lambda: listens(plan.ports["mqtt"]), READY_S)
        self._start("cloud", (program("argus-cloud"), "--config", str(cloud_config), "serve"), tasks)
        await eventually("the cloud", lambda: responds_over_http(plan.url("api") + "/health/ready"), READY_S)
        self._start("radio", self._radio_argv(), tasks)
        await eventually("the radio", self._radio_listens, READY_S)
        self._start("gateway", (program("argus-gateway"), "--config", str(gateway_config), "run"), tasks)
        await eventually("the gateway", self._gateway_responds, READY_S)
        await send_call(plan, READY_S)
        if self.wishes.with_devices:
            self._committed = CommittedBatches.of(await query_gateway(self.control_socket, "status"))
            self._devices = self._start("devices", self._devices_argv(), tasks)
            await pair_devices(self.control_socket, BLE_DEVICES, self._said, READY_S)
            await eventually("the devices", self._data_flows, READY_S)
            care = write_care(self.control_socket, plan.encounter_id, self.wishes.scenario)
            self._care = tasks.create_task(care, name="care")
        self._exhibits = await make_exhibits(plan, READY_S)
        self.ready = True
        self._pids_changed()
        self._said("everything is ready")

    def _start(self, name: str, argv: tuple[str, ...], tasks: asyncio.TaskGroup) -> Child:
        self._said(f"starting the {name}")
        return self._children.add(Recipe(name, argv, self.plan.file("log", f"{name}.log"), self._inherited), tasks)

    def _radio_argv(self) -> tuple[str, ...]:
        return (
            program("argus-sim"), "ble", "radio",
            "--socket", str(configuration.radio_socket(self.plan)),
            "--control", str(configuration.radio_control(self.plan)),
        )  # fmt: skip

    def _devices_argv(self) -> tuple[str, ...]:
        replay = () if self.wishes.replay is None else ("--replay", str(self.wishes.replay))
        unconfirmed = () if self.wishes.waveforms_confirmed else ("--unconfirmed-waveforms",)
        return (
            sys.executable, "-m", "simulators.demo.devices",
            "--state", str(self.plan.state_dir), "--radio", str(configuration.radio_socket(self.plan)),
            "--seed", str(self.plan.seed), "--scenario", self.wishes.scenario, *replay, *unconfirmed,
        )  # fmt: skip

    async def _until_the_end(self) -> None:
        try:
            async with asyncio.timeout(self.wishes.for_s):
                await self._stop.wait()
        except TimeoutError:
            if self._care is not None:
                self._care.cancel()
            if self._devices is not None:
                await self._devices.stop()
            await self._drained()

    async def _drained(self) -> None:
        """Wait until the cloud has acknowledged all data of the gateway; report a timeout after `DRAIN_S`."""
        try:
            await eventually("the cloud's confirmation of everything", self._nothing_waits, DRAIN_S)
        except DemoNotReady as late:
            self._said(str(late))

    async def _gateway_responds(self) -> bool:
        return await query_gateway(self.control_socket, "status") is not None

    async def _radio_listens(self) -> bool:
        return configuration.radio_socket(self.plan).exists()

    async def _data_flows(self) -> bool:
        status = await query_gateway(self.control_socket, "status")
        return status is not None and has_new_data(status, self._committed)

    async def _nothing_waits(self) -> bool:
        status = await query_gateway(self.control_socket, "status")
        return status is not None and has_delivered_all(status)

    def _pids_changed(self) -> None:
        if not self.ready:
            return
        demo_file.write(
            self.plan,
            self.wishes.choices,
            crew_pin=self.plan.file("gateway", "crew.pin").read_text().strip(),
            pids={name: self._children.pid(name) for name in ("gateway", "cloud", "broker", "radio", "devices")},
            broker=self.broker_kind,
            exhibits=self._exhibits,
        )
