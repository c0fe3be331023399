"""Command `argus-gateway store recover`: saves the readable rows of a damaged or set-aside store.

The damaged file is only read. Its readable rows are written to a new store of the same epoch beside it. To read the new
store with the other commands, put it in the place of the gateway's store. With `--send` the running gateway sends the
batches under their original identity, so that the cloud recognises those that it has and verifies the others.
"""

import asyncio
import sys
from pathlib import Path
from typing import BinaryIO

import orjson
import typer

from gateway.buffer.errors import Trouble
from gateway.buffer.reading import records
from gateway.buffer.recovered_store import ENDING
from gateway.buffer.recovery import Recovered, recover
from gateway.buffer.set_aside import survey
from gateway.buffer.store_reader import StoreReader
from gateway.cli.output import print_json, print_table
from gateway.cli.refusal import Refusal
from gateway.security.identity import Identity
from gateway.settings import Settings, load
from protocols.observation_record import to_json


def recover_store(
    config: Path, file: Path, *, as_json: bool, output: Path | None, observations: Path | None, send: bool
) -> None:
    settings = load(config)
    source = file if file.is_absolute() or file.exists() else settings.gateway.state_dir / file
    target = _target(settings, source, output, send=send)
    if source.resolve() == settings.store_path.resolve():
        raise Refusal(f"{source} is the store in use: stop the gateway and move the file away first")
    for made in (target, observations):
        if made is not None and made.exists():
            raise Refusal(f"{made} exists: move it away, or name another file")
    identity = Identity.load(settings.identity_dir)
    if not source.exists():
        raise Refusal(f"{source} does not exist: give the file, or its name in {settings.gateway.state_dir}")
    aside = survey(source, why="", trouble=Trouble.DAMAGED)
    outcome = recover(aside, target, gateway=settings.gateway.id, key=identity.store_key, unsent_only=send)
    if not outcome.batches:
        target.unlink(missing_ok=True)
        raise Refusal(
            f"nothing of {source} opens as a store of {settings.gateway.id} with this gateway's key: "
            "it is another gateway's, its key is another, or nothing is left of it"
        )
    written = 0 if observations is None else _write_observations(settings, identity, target, observations)
    _print(outcome, target, as_json=as_json, observations=observations, written=written, send=send)


def _target(settings: Settings, source: Path, output: Path | None, *, send: bool) -> Path:
    if not send:
        return output or source.with_name(source.name + ".recovered")
    if output is not None:
        raise Refusal("--send chooses the path of the file itself: omit --output")
    name = source.name.removeprefix(settings.store_path.name + ".")
    return settings.store_path.with_name(f"{settings.store_path.name}.{name}{ENDING}")


def _write_observations(settings: Settings, identity: Identity, target: Path, observations: Path) -> int:
    reader = StoreReader(target, gateway=settings.gateway.id, key=identity.store_key)

    async def write_all(file: BinaryIO) -> int:
        written = 0
        async for record in records(
            reader, asyncio.to_thread, lane=None, device=None, since_us=None, limit=sys.maxsize
        ):
            file.write(orjson.dumps(to_json(record)) + b"\n")
            written += 1
        return written

    try:
        observations.touch(mode=0o600, exist_ok=False)  # patients' values
        with observations.open("wb") as file:
            return asyncio.run(write_all(file))
    finally:
        reader.close()


def _print(
    outcome: Recovered, target: Path, *, as_json: bool, observations: Path | None, written: int, send: bool
) -> None:
    lanes = {
        lane.value: {
            "batches": each.batches,
            "observations": each.observations,
            "lost_batches": each.lost_batches,
            "lost_observations": each.lost_observations,
        }
        for lane, each in outcome.lanes.items()
    }
    if as_json:
        print_json({"epoch": outcome.epoch, "file": str(target), "observations_written": written, "lanes": lanes})
        return
    print_table(
        f"Epoch {outcome.epoch}",
        ("lane", "batches saved", "observations saved", "batches lost", "observations lost"),
        [(name, *(str(number) for number in counts.values())) for name, counts in lanes.items()],
    )
    if observations is not None:
        typer.echo(f"{written} observations are in {observations}. They are patient data.")
    if send:
        typer.echo(
            f"The running gateway sends {target.name} when no newer batches are queued, and deletes it afterwards."
        )
    else:
        typer.echo(
            f"The readable batches are in {target}; with --send the running gateway sends those that the cloud lacks."
        )
