"""A gateway that kills itself (SIGKILL) at its n-th step: `python -m tests.harness.dying_gateway --config FILE`.

The steps are: bytes of a device were received; bytes are about to be sent to a device; they were sent; a transaction is
about to be committed; it was committed. Counting starts at the first byte that a device sends. `ARGUS_DIE_AT` is the
number of the fatal step, 0 for none. The name of each step is appended to the file `ARGUS_STEPS_FILE`, so a run that
survives shows how many steps there are.

The product has no code for this: the process patches its own classes before it starts the gateway.
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
    """A counter of steps, which kills the process at step `ARGUS_DIE_AT`. Steps are not counted while
    `begun` is False."""

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
    """Count steps at every reception, transmission and commit."""
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
    def committed(self: Store, *, acks: bool = False) -> Iterator[None]:
        with transaction(self, acks=acks):
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
