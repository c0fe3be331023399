"""`argus-sim agent`: run one simulated device with a chosen behaviour. `argus-sim kinds`: list the kinds of devices.

The enums of the options repeat names from `simulators.agents`, so that `--help` loads no simulator.
"""

import asyncio
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulators.command_line import Refusal, address_of, log_to_stderr, refusing, run_until_stopped

if TYPE_CHECKING:
    from gateway.transports.clock import Clock
    from simulators.agents.agent import Connect
    from simulators.agents.behaviour import Behaviour


class Framing(StrEnum):
    """Framings of APDUs on a serial line."""

    RAW = "raw"
    HDLC = "hdlc"


class ClockKind(StrEnum):
    """Kinds of clock that time-stamp the measurements."""

    ABSOLUTE = "absolute"
    BASE_OFFSET = "base-offset"
    RELATIVE = "relative"
    HIGH_RESOLUTION = "high-resolution"


class SetTime(StrEnum):
    """The rights of a manager to set the clock, and the device's response if it tries."""

    NO = "no"
    MAY = "may"
    SHOULD = "should"
    REFUSES = "refuses"
    SILENT = "silent"


class Through(StrEnum):
    """Kinds of scanner that send the reports. `no`: the device sends them without a scanner."""

    NO = "no"
    EPISODIC = "episodic"
    PERIODIC = "periodic"


class Requests(StrEnum):
    """Support for data requests. `only`: the device reports nothing else."""

    NO = "no"
    ALSO = "also"
    ONLY = "only"


Tcp = Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Connect to a manager that listens there.")]


def kinds() -> None:
    """The kinds of simulated devices, and the specialisations that each names."""
    from simulators.agents.kinds import KINDS

    for kind, (_, model, specializations, _) in KINDS.items():
        typer.echo(f"{kind:16} {model:14} {', '.join(item.name for item in specializations)}")


def agent(
    kind: Annotated[str, typer.Argument(help="One of those that `argus-sim kinds` lists.")],
    tcp: Tcp = None,
    serial: Annotated[Path | None, typer.Option(help="Speak over this serial port or pseudo-terminal.")] = None,
    framing: Annotated[Framing, typer.Option(help="On a serial line: APDUs as they are, or in frames.")] = Framing.HDLC,
    baud: Annotated[int, typer.Option(min=300, help="Speed of a real serial port.")] = 115_200,
    scenario: Annotated[str, typer.Option(help="stable, deteriorating or cardiac-arrest.")] = "stable",
    seed: Annotated[int, typer.Option(help="Seed of the simulated patient.")] = 42,
    unit: Annotated[int, typer.Option(min=1, max=65535, help="Number of the device among those of one kind.")] = 1,
    firmware: Annotated[str | None, typer.Option(help="Firmware revision that the device reports.")] = None,
    witness: Annotated[Path | None, typer.Option(help="File for a line about each confirmed report.")] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Play this WFDB record (its name without .hea); monitor only.")
    ] = None,
    unconfirmed_waveforms: Annotated[
        bool, typer.Option("--unconfirmed-waveforms", help="Waveforms without confirmation, so they may be lost.")
    ] = False,
    clock_kind: Annotated[ClockKind, typer.Option("--clock", help="What it stamps with.")] = ClockKind.ABSOLUTE,
    clock_off_s: Annotated[float, typer.Option("--clock-off", help="Seconds that its clock is ahead.")] = 0.0,
    clock_drift_ppm: Annotated[float, typer.Option("--clock-drift", help="Parts per million that it gains.")] = 0.0,
    set_time: Annotated[
        SetTime,
        typer.Option(help="Whether a manager may set its clock; refuses, silent: it declares so but does not obey."),
    ] = SetTime.NO,
    scanner: Annotated[Through, typer.Option(help="Report through a scanner that has to be enabled.")] = Through.NO,
    requests: Annotated[Requests, typer.Option(help="Serve data requests; only: report nothing else.")] = Requests.NO,
    standard_id_first: Annotated[
        int | None, typer.Option(min=1, max=0x3FFF, help="Offer this standard configuration first, without objects.")
    ] = None,
    reconfigure_at_s: Annotated[
        float | None, typer.Option("--reconfigure-at", help="Change the configuration at this second.")
    ] = None,
    memory: Annotated[
        Path | None, typer.Option(help="Store measurements in this file for requests, without reports of its own.")
    ] = None,
    memory_witness: Annotated[
        Path | None, typer.Option(help="File for a line about each stored and each cleared entry.")
    ] = None,
    memory_live: Annotated[bool, typer.Option("--memory-live", help="Report everything as well as keep it.")] = False,
    for_s: Annotated[float | None, typer.Option("--for", min=0.1, help="Stop cleanly after N seconds.")] = None,
) -> None:
    """Run one simulated device. It keeps its measurements until the manager has them, and reconnects by itself.

    Exit code 1 when no manager ever associated with it.
    """
    with refusing():
        log_to_stderr()
        from gateway.transports.clock import SystemClock
        from simulators.agents.agent import AgentOptions
        from simulators.agents.kinds import build_agent
        from simulators.agents.remembering import MemoryOptions
        from simulators.agents.witness import Witness
        from simulators.physiology.patient import Patient
        from simulators.replay.wfdb import Record
        from simulators.scenarios import scenario_of

        clock = SystemClock()
        behaviour = _behaviour(
            clock_kind, clock_off_s, clock_drift_ppm, set_time, scanner, requests, standard_id_first, reconfigure_at_s
        )
        keeps = None if memory is None else MemoryOptions(path=memory, witness=memory_witness, live=memory_live)
        made = build_agent(
            kind,
            Record(replay) if replay is not None else Patient(seed, scenario_of(scenario)),
            _connect(tcp, serial, framing, baud, clock),
            clock,
            witness=None if witness is None else Witness(witness),
            options=AgentOptions(waveforms_confirmed=not unconfirmed_waveforms, behaviour=behaviour),
            memory=keeps,
            unit=unit,
            firmware=firmware,
        )
        asyncio.run(run_until_stopped(made.run(for_s), made.stop))
        status = made.status
        typer.echo(
            f"{made.name}: {status.measured} reports measured, {status.acknowledged} acknowledged, "
            f"{status.repeated} repeated, {status.pending} left, {status.dropped} dropped, "
            f"{status.associations} associations"
        )
        if not status.associations:
            raise Refusal(
                "no manager ever associated with this device, so nothing it measured arrived: "
                f"look whether one listens at {tcp or serial}, and at its own list of devices"
            )


def _behaviour(
    clock_kind: ClockKind,
    clock_off_s: float,
    clock_drift_ppm: float,
    set_time: SetTime,
    scanner: Through,
    requests: Requests,
    standard_id_first: int | None,
    reconfigure_at_s: float | None,
) -> "Behaviour":
    from protocols.device_time import TimeKind
    from simulators.agents.behaviour import Behaviour, DataRequests, ScannerKind
    from simulators.agents.own_clock import ClockBehaviour, SetResponse, Setting

    settings = {SetTime.NO: Setting.NO, SetTime.MAY: Setting.MAY}
    answers = {SetTime.REFUSES: SetResponse.REFUSES, SetTime.SILENT: SetResponse.SILENT}
    return Behaviour(
        clock=ClockBehaviour(
            kind=TimeKind[clock_kind.name],
            wrong_by_s=clock_off_s,
            drift_ppm=clock_drift_ppm,
            setting=settings.get(set_time, Setting.SHOULD),
            set_response=answers.get(set_time, SetResponse.OBEYS),
        ),
        scanner=None if scanner is Through.NO else ScannerKind(scanner),
        data_requests=DataRequests(requests),
        standard_id_first=standard_id_first,
        reconfigure_at_s=reconfigure_at_s,
    )


def _connect(tcp: str | None, serial: Path | None, framing: Framing, baud: int, clock: "Clock") -> "Connect":
    from gateway.transports.serial_port import SerialPort
    from gateway.transports.tcp import connect_tcp

    if (tcp is None) == (serial is None):
        raise Refusal("give either --tcp HOST:PORT or --serial PATH")
    if tcp is not None:
        return partial(connect_tcp, *address_of(tcp))
    return SerialPort(str(serial), baud, framing.value, clock=clock, setting="--serial and --baud").accept
