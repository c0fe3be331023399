"""Terminal view of the demo, redrawn twice a second: devices, lanes (the gateway's upload queues), processes, faults.

It shows no patient data, as an operator's view would. Everything displayed comes from the running gateway or from the
processes; while the gateway does not respond, its columns stay empty.
"""

import asyncio
import time
from collections import deque
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from simulators.demo.app import Demo
from simulators.demo.configuration import radio_socket
from simulators.demo.fleet import DEMO_DEVICES
from simulators.demo.gateway_status import query_gateway
from simulators.demo.history import Rates

DRAW_EVERY_S = 0.5
FAULTS_SHOWN = 6
SPARK_WIDTH = 24
TICK_S = 1.0
"""Interval of one character of the sparkline, so that a device that reports once a second has an even line."""
NOW_S = 3.0
RATE_TICKS = 4
"""Number of intervals in the displayed mean rate."""
_SPARKS = " ▁▂▃▄▅▆▇█"


def sparkline(values: list[float]) -> str:
    """Return one block character for each value: a full block for the highest value, the lowest block for zero."""
    high = max(values, default=0.0)
    if high <= 0:
        return "▁" * len(values)
    return "".join(_SPARKS[max(1, round(value / high * (len(_SPARKS) - 1)))] if value > 0 else "▁" for value in values)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _ago(seconds: float) -> str:
    return "now" if seconds < NOW_S else f"{seconds:.0f} s ago"


def _from_here(path: Path) -> str:
    """Return the path relative to the current folder if it is below that folder, else unchanged."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _link(name: str) -> str:
    """Shorten a link's name for a column: a serial port to its file name, a Bluetooth address to its second half."""
    return f"ble …{name[-8:]}" if name.startswith("ble:") else name.rsplit("/", 1)[-1]


def _table(title: str) -> Table:
    # Without rules and as narrow as its content: the whole view fits a terminal of thirty lines.
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=None,
        pad_edge=False,
        padding=(0, 3, 0, 0),
    )


class View:
    """Terminal view of a demo. `run` redraws it until it is cancelled."""

    def __init__(self, demo: Demo, console: Console) -> None:
        self._demo = demo
        self._console = console
        self._rates = Rates()
        self._faults: deque[str] = deque(maxlen=FAULTS_SHOWN)
        self._starts: dict[str, int] = {}
        self._online: bool | None = None
        self._ticked_s = time.monotonic()

    async def run(self) -> None:
        with Live(console=self._console, refresh_per_second=4, screen=False) as live:
            while True:
                status = await query_gateway(self._demo.control_socket, "status")
                self.note(status)
                live.update(self.draw(status))
                await asyncio.sleep(DRAW_EVERY_S)

    def draw(self, status: dict[str, Any] | None) -> Group:
        return Group(
            self._heading(status),
            "",
            self._device_table(status),
            "",
            self._lane_table(status),
            "",
            self._part_table(),
            self._fault_panel(),
        )

    def _heading(self, status: dict[str, Any] | None) -> Text:
        plan = self._demo.plan
        text = Text.assemble(("Argus demo ", "bold"), plan.first.vehicle_id, f" · broker {self._demo.broker_kind} · ")
        if status is None:
            text.append("the gateway does not answer", "bold red")
        elif self._online:
            text.append("cloud link up", "green")
        else:
            text.append("no cloud link: everything is kept in the gateway", "yellow")
        pin = plan.file("gateway", "crew.pin")
        addresses = (
            ("crew page", f"{plan.url('crew')}  PIN {pin.read_text().strip() if pin.exists() else '…'}"),
            ("cloud", f"docs {plan.url('docs')}  api {plan.url('api')}  auth {plan.url('auth')}"),
            (
                "your device",
                f"11073-20601 to tcp 127.0.0.1:{plan.ports['agent_tcp']}  "
                f"argus-sim ble KIND --radio {_from_here(radio_socket(plan))}",
            ),
        )
        for name, where in addresses:
            text.append(f"\n{name:<12}", "dim").append(where)
        return text

    def _device_table(self, status: dict[str, Any] | None) -> Table:
        table = _table("Devices")
        for column in ("device", "link", "state"):
            table.add_column(column, no_wrap=True)
        for column in ("last heard", "observations", "per s"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("last seconds", no_wrap=True, min_width=SPARK_WIDTH)
        sessions = {each["device"]: each for each in (status or {}).get("sessions", []) if each["device"]}
        names = {device.system_id: device.name for device in DEMO_DEVICES}
        for system_id in [*names, *(other for other in sessions if other not in names)]:
            session = sessions.get(system_id)
            state = ("—", "dim") if session is None else (session["state"], "green")
            link = "" if session is None else _link(str(session["link"]))
            recent = self._rates.recent(system_id, SPARK_WIDTH)
            table.add_row(
                names.get(system_id, system_id),
                link,
                Text(*state),
                "" if session is None else _ago(session["silent_s"]),
                f"{self._rates.total(system_id):,}",
                f"{_mean(recent[-RATE_TICKS:]):.0f}",
                Text(sparkline(recent).rjust(SPARK_WIDTH), "cyan"),
            )
        return table

    def _lane_table(self, status: dict[str, Any] | None) -> Table:
        uplink = (status or {}).get("uplink") or {"sent_batches": 0}
        table = _table(f"Lanes, in batches ({uplink['sent_batches']:,} sent since the gateway started)")
        table.add_column("lane", no_wrap=True)
        for column in ("buffered", "acknowledged", "waiting batches", "waiting observations"):
            table.add_column(column, justify="right", no_wrap=True)
        for name, lane in (status or {}).get("lanes", {}).items():
            waiting = lane["backlog_batches"]
            table.add_row(
                name,
                f"{lane['last']:,}",
                f"{lane['acked']:,}",
                Text(f"{waiting:,}", "green" if waiting < 10 else "yellow"),
                f"{lane['backlog_observations']:,}",
            )
        return table

    def _part_table(self) -> Table:
        table = _table("Parts (kill any of them)")
        table.add_column("part", no_wrap=True)
        for column in ("pid", "starts"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("log", overflow="fold")
        for child in self._demo.children:
            pid = Text(str(child.pid)) if child.pid else Text("restarting", "yellow")
            table.add_row(child.recipe.name, pid, str(child.starts), _from_here(child.recipe.log_file))
        return table

    def _fault_panel(self) -> Panel:
        text = "\n".join(self._faults) if self._faults else "none so far"
        return Panel(text, title="Faults as they happen", title_align="left")

    def _tick(self) -> None:
        elapsed_s = time.monotonic() - self._ticked_s
        if elapsed_s >= TICK_S:
            self._ticked_s += elapsed_s
            self._rates.tick(elapsed_s)

    def note(self, status: dict[str, Any] | None) -> None:
        """Update rates and faults from the gateway's status (None: no response), and faults from process restarts."""
        now = time.strftime("%H:%M:%S")
        for child in self._demo.children:
            if child.starts > self._starts.get(child.recipe.name, 1):
                self._faults.append(f"{now}  {child.recipe.name} died and was started again (pid {child.pid})")
            self._starts[child.recipe.name] = child.starts
        if status is None:
            return
        for session in status["sessions"]:
            if session["device"]:
                self._rates.count(session["device"], session["connection"], session["observations"])
        if self._online is None:
            self._rates.skip()
        self._tick()
        online = bool(status.get("uplink") and status["uplink"]["connected"])
        if self._online is not None and online != self._online:
            self._faults.append(f"{now}  " + ("the cloud link is back" if online else "the cloud link is lost"))
        self._online = online
