"""A gateway that kills itself (SIGKILL) at its n-th step: `python -m tests.harness.dying_gateway --config FILE`.

A step is a point just before or after a change at a device or on the disk: bytes of a device were received, bytes are
about to be sent to it or have been sent, a transaction is about to be committed or has been committed. Steps are
counted from the first byte that a device sends. `ARGUS_DIE_AT` names the step, 0 none; `ARGUS_STEPS_FILE` gets a line
with the name of each, so that a run that survives shows how many there are.

The product is not changed for this: the process patches itself before it starts.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.buffer.store import Store
from gateway.cli import main
from gateway.transports.tcp import TcpLink

DIE_AT = int(os.environ.get("ARGUS_DIE_AT", "0"))
STEPS_FILE = Path(os.environ["ARGUS_STEPS_FILE"]) if "ARGUS_STEPS_FILE" in os.environ else None


class Steps:
    """A counter that kills the process at the step `ARGUS_DIE_AT`."""

    def __init__(self) -> None:
        self.count = 0
        self.begun = False

    def step(self, name: str) -> None:
        if not self.begun:
            return
        self.count += 1
        if STEPS_FILE is not None:
            with STEPS_FILE.open("a") as file:
                file.write(f"{name}\n")
        if self.count == DIE_AT:
            os.kill(os.getpid(), signal.SIGKILL)


STEPS = Steps()


def patch() -> None:
    """Put steps around receptions, sends and commits."""
    receive, send, transaction = TcpLink.receive, TcpLink.send, Store.transaction

    async def received(self: TcpLink) -> bytes:
        data = await receive(self)
        STEPS.begun = STEPS.begun or bool(data)
        STEPS.step("received")
        return data

    async def sent(self: TcpLink, data: bytes) -> None:
        STEPS.step("sending")
        await send(self, data)
        STEPS.step("sent")

    @contextmanager
    def committed(self: Store) -> Iterator[None]:
        with transaction(self):
            yield
            STEPS.step("committing")
        STEPS.step("committed")

    patches: Any = ((TcpLink, "receive", received), (TcpLink, "send", sent), (Store, "transaction", committed))
    for owner, name, patched in patches:
        setattr(owner, name, patched)


if __name__ == "__main__":
    patch()
    sys.argv = ["argus-gateway", *sys.argv[1:]]
    main()
