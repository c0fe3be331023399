"""`argus-sim ble`: the virtual radio, and simulated Bluetooth devices on it.

`argus-sim ble radio` runs the radio as a process of its own; `argus-sim ble KIND` runs one device on it. The witness
file of a device lists its values and what became of each.
"""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from simulators.ble.options import Absence, IdForm, Leaving, Lie, Pairing
from simulators.command_line import Refusal, log_to_stderr, refusing, run_until_stopped

_DEVICE = "device"


class _Kinds(TyperGroup):
    """Group of commands in which any word that is not a command is the name of a kind."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = [_DEVICE, *args]
        return super().resolve_command(ctx, args)


ble = typer.Typer(
    cls=_Kinds,
    help="The virtual radio (`ble radio`), and devices on it: `ble KIND`, a kind being one that `ble kinds` lists.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class SetTime(StrEnum):
    """Results of a client's attempt to set the clock."""

    NO = "no"
    OBEYS = "obeys"
    REFUSES = "refuses"
    SILENT = "silent"


@ble.command()
def radio(
    socket: Annotated[Path, typer.Option(help="Socket for hosts: devices, and a gateway as its [ble] adapter.")],
    control: Annotated[
        Path | None, typer.Option(help="Socket that accepts simulated faults, one JSON line a request.")
    ] = None,
    vhci: Annotated[bool, typer.Option("--vhci", help="Give this machine's kernel an adapter, for BlueZ.")] = False,
) -> None:
    """Run the virtual radio until Ctrl-C. A host that leaves it is out of range for the others."""
    with refusing():
        log_to_stderr()
        from simulators.ble.radio import RadioUnusable, run_radio

        try:
            asyncio.run(run_radio(socket, control, vhci=vhci))
        except RadioUnusable as error:
            raise Refusal(str(error)) from error


@ble.command()
def kinds() -> None:
    """List the kinds of simulated Bluetooth devices with their services."""
    from simulators.ble.kinds import BLE_KINDS

    for name, kind in BLE_KINDS.items():
        services = ", ".join(f"0x{service:04X}" for service in kind.sensor.services)
        typer.echo(f"{name:16} {kind.model:14} {services:8} {', '.join(item.name for item in kind.specializations)}")


@ble.command(_DEVICE, hidden=True)
def device(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="One of those that `argus-sim ble kinds` lists.")],
    radio: Annotated[Path | None, typer.Option(metavar="SOCKET", help="The socket of `argus-sim ble radio`.")] = None,
    scenario: Annotated[str, typer.Option(help="stable, deteriorating or cardiac-arrest.")] = "stable",
    seed: Annotated[int, typer.Option(help="Seed of the simulated patient.")] = 42,
    unit: Annotated[int, typer.Option(min=1, max=65535, help="Number of the device among those of one kind.")] = 1,
    witness: Annotated[
        Path | None, typer.Option(help="Append a line here for each value and what became of it.")
    ] = None,
    memory: Annotated[Path | None, typer.Option(help="Keep unread records in this file.")] = None,
    bonds: Annotated[Path | None, typer.Option(help="Keep bonds in this file.")] = None,
    pairing: Annotated[Pairing, typer.Option(help="Pairing method.")] = Pairing.JUST_WORKS,
    passkey: Annotated[
        int | None, typer.Option(min=0, max=999_999, help="The digits that it always shows; implies --pairing passkey.")
    ] = None,
    open_link: Annotated[bool, typer.Option("--open", help="Send health data on an unencrypted link.")] = False,
    forgets_bond: Annotated[bool, typer.Option("--forgets-bond", help="Forget the bond when the link ends.")] = False,
    static_random: Annotated[bool, typer.Option("--static-random", help="A random static address.")] = False,
    system_id: Annotated[IdForm, typer.Option(help="Form of its system id.")] = IdForm.RIGHT,
    leaves: Annotated[
        str | None, typer.Option(metavar="EVERY:FOR", help="Leave every N seconds for M seconds, such as 60:15.")
    ] = None,
    leaves_by: Annotated[Leaving, typer.Option(help="How it leaves.")] = Leaving.OUT_OF_RANGE,
    resends: Annotated[
        bool, typer.Option("--resends", help="Send the whole memory again after each connection.")
    ] = False,
    lies_every: Annotated[int | None, typer.Option(min=1, help="Spoil one in N values.")] = None,
    lie: Annotated[Lie, typer.Option(help="Fault of a spoilt value.")] = Lie.MISSING_FIELD,
    drops_after: Annotated[int | None, typer.Option(min=1, help="Drop the link after N values of a transfer.")] = None,
    drops_times: Annotated[int, typer.Option(min=1, help="How often it does so.")] = 1,
    busy_times: Annotated[int, typer.Option(min=0, help="How often its record access is busy.")] = 0,
    slow_s: Annotated[
        float, typer.Option("--slow", min=0.0, help="Response time of a read or a write in seconds.")
    ] = 0.0,
    no_clock: Annotated[bool, typer.Option("--no-clock", help="It has no clock; values carry no time.")] = False,
    clock_off_s: Annotated[float, typer.Option("--clock-off", help="Seconds that its clock is ahead.")] = 0.0,
    clock_drift_ppm: Annotated[float, typer.Option("--clock-drift", help="Parts per million that it gains.")] = 0.0,
    set_time: Annotated[SetTime, typer.Option(help="Result of an attempt to set its clock.")] = SetTime.OBEYS,
    for_s: Annotated[float | None, typer.Option("--for", min=0.1, help="Stop cleanly after N seconds.")] = None,
) -> None:
    """Run one simulated Bluetooth device. It keeps its measurements until a client has them, and reconnects."""
    with refusing():
        log_to_stderr()
        from gateway.transports.clock import SystemClock
        from simulators.agents.own_clock import ClockBehaviour, SetResponse, Setting
        from simulators.ble.assembly import build_peripheral
        from simulators.ble.behaviour import BleBehaviour
        from simulators.ble.peripheral import PeripheralOptions
        from simulators.ble.witness import BleWitness
        from simulators.physiology.patient import Patient
        from simulators.scenarios import scenario_of

        if radio is None:
            raise Refusal("the radio is missing: give --radio SOCKET; `argus-sim ble radio` starts one")
        clock = SystemClock()
        behaviour = BleBehaviour(
            clock=ClockBehaviour(
                wrong_by_s=clock_off_s,
                drift_ppm=clock_drift_ppm,
                setting=Setting.NO if set_time is SetTime.NO else Setting.MAY,
                set_response=SetResponse.OBEYS if set_time is SetTime.NO else SetResponse(set_time),
            ),
            shows_time=not no_clock,
            pairing=Pairing.PASSKEY if passkey is not None else pairing,
            passkey=passkey,
            encrypted=not open_link,
            bonds_kept=not forgets_bond,
            static_random=static_random,
            absence=_absence(leaves, leaves_by),
            resends=resends,
            lie=lie,
            lies_every=lies_every,
            drops_link_after=drops_after,
            drops_link_times=drops_times,
            busy_times=busy_times,
            slow_s=slow_s,
            id_form=system_id,
        )
        made = build_peripheral(
            kind,
            Patient(seed, scenario_of(scenario)),
            radio,
            clock,
            witness=None if witness is None else BleWitness(witness, clock),
            options=PeripheralOptions(behaviour=behaviour, memory=memory, bonds=bonds),
            unit=unit,
        )
        typer.echo(f"{made.name} at {made.address}")
        asyncio.run(run_until_stopped(made.run(for_s), made.stop))
        status = made.status
        typer.echo(
            f"{made.name}: {status.measured} measured, {status.notified} notified, {status.confirmed} confirmed, "
            f"{status.spoilt} spoilt, {status.pending} left, {status.dropped} dropped, {status.deleted} deleted, "
            f"{status.connections} connections, {status.pairings} pairings"
        )


def _absence(leaves: str | None, by: Leaving) -> Absence | None:
    if leaves is None:
        return None
    every, colon, away = leaves.partition(":")
    try:
        every_s, for_s = float(every), float(away)
    except ValueError:
        every_s = for_s = 0.0
    if not colon or not 0 < for_s < every_s:
        raise Refusal(f"--leaves {leaves!r} is not EVERY:FOR in seconds, FOR being the shorter, for instance 60:15")
    return Absence(every_s=every_s, for_s=for_s, leaving=by)
