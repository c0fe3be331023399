"""Pairing of a Bluetooth device on the tablet: what advertises nearby, the choice of one, and the steps of the pairing.

It uses the pairings of the gateway (`gateway.sessions.gatt.pairing`), which make one at a time, record it, and undo
what is not completed. The tablet polls the state: a pairing takes half a minute, and two tablets see the same. A
question without a reply in time ends the pairing. The page has its own sentences in its language for each step,
question and failure; the words of the stack are for operators.

Without Bluetooth in the settings there are no such routes; this module does not load the Bluetooth stack.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from aiohttp import web

from gateway.buffer import StoreFull
from gateway.crew.access import Access
from gateway.crew.request_checks import json_object
from gateway.crew.routes import CrewRoute, member_of
from gateway.sessions.gatt.pairing_failures import PairingFailed
from gateway.transports.clock import Clock

BODY_BYTES_MAX = 512
CONFIRM_S = 90.0
"""Time to confirm the chosen device."""
DIGITS_S = 25.0
"""Time to read six digits and to enter or compare them: the stack itself waits 30 s."""

Json = dict[str, Any]
log = structlog.get_logger()


class Questioner(Protocol):
    """The side of a pairing that has a person (`gateway.sessions.gatt.pairing.Person`)."""

    async def show_step(self, step: str, says: str) -> None: ...

    async def passkey(self, says: str) -> int | None: ...

    async def confirm(self, says: str, passkey: int | None) -> bool: ...


@dataclass(frozen=True, slots=True)
class PairingParts:
    """Functions of the gateway's Bluetooth for the pages. `nearby()`: its state, what advertises and what is paired, as
    JSON. `pair(address, person, who)`: pair a device and return its name; raises `PairingFailed` and StoreFull."""

    nearby: Callable[[], Json]
    pair: Callable[[str, Questioner, str], Awaitable[str]]


@dataclass(slots=True)
class _State:
    """State of the newest pairing. `question`: confirm, compare or passkey, "" for none; `digits`: those to compare.
    `done`: name of the paired device, None before. `failed`: kind of the failure, "" for none."""

    address: str
    step: str = "listening"
    question: str = ""
    digits: str = ""
    done: str | None = None
    failed: str = ""

    def form(self) -> Json:
        return {
            "address": self.address,
            "step": self.step,
            "question": self.question,
            "digits": self.digits,
            "done": self.done,
            "failed": self.failed,
        }

    @property
    def is_over(self) -> bool:
        return self.done is not None or bool(self.failed)


class PairingPages:
    """The handlers of the pairing, and the person of the running pairing for the gateway."""

    def __init__(self, parts: PairingParts, clock: Clock) -> None:
        self._parts = parts
        self._clock = clock
        self._state: _State | None = None
        self._who = ""
        self._requested = asyncio.Event()
        self._reply: asyncio.Future[object] | None = None

    def routes(self) -> tuple[CrewRoute, ...]:
        return (
            CrewRoute("GET", "/pairing", self._read, Access.WRITE),
            CrewRoute("POST", "/pairing", self._begin, Access.WRITE),
            CrewRoute("POST", "/pairing/reply", self._take_reply, Access.WRITE),
        )

    async def run(self) -> None:
        """Make each requested pairing, until cancelled."""
        while True:
            await self._requested.wait()
            self._requested.clear()
            state = self._state
            assert state is not None, "a request has a state"
            try:
                state.done = await self._parts.pair(state.address, self, self._who)
            except PairingFailed as failure:
                state.failed = failure.trouble.value
            except StoreFull:
                state.failed = "store_full"
            except Exception:  # the next pairing must be possible whatever the stack of this machine does
                log.exception("ble.request_failed")
                state.failed = "internal"
            state.question = ""

    # ---- requests of the tablet

    async def _read(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._form())

    async def _begin(self, request: web.Request) -> web.StreamResponse:
        body = await json_object(request, self._clock, bytes_max=BODY_BYTES_MAX)
        address = body.get("address")
        if not isinstance(address, str) or len(address) > len("C0:FF:EE:00:00:01"):
            raise web.HTTPUnprocessableEntity(text="address is the address of a device in the list.\n")
        if self._state is not None and not self._state.is_over:
            raise web.HTTPConflict(text="A device is being paired now. Wait until its pairing ends.\n")
        self._state = _State(address)
        self._who = f"crew {member_of(request).id}"
        self._requested.set()
        return web.json_response(self._form())

    async def _take_reply(self, request: web.Request) -> web.StreamResponse:
        body = await json_object(request, self._clock, bytes_max=BODY_BYTES_MAX)
        if self._reply is None or self._reply.done():
            raise web.HTTPConflict(text="There is no question now.\n")
        self._reply.set_result(body.get("reply"))
        return web.json_response(self._form())

    def _form(self) -> Json:
        return {**self._parts.nearby(), "pairing": None if self._state is None else self._state.form()}

    # ---- the person of the running pairing

    async def show_step(self, step: str, says: str) -> None:
        if self._state is not None:
            self._state.step = step

    async def passkey(self, says: str) -> int | None:
        reply = await self._question("passkey", "", DIGITS_S)
        if not isinstance(reply, str) or len(reply) != 6 or not (reply.isascii() and reply.isdigit()):
            return None
        return int(reply)

    async def confirm(self, says: str, passkey: int | None) -> bool:
        if passkey is None:
            return await self._question("confirm", "", CONFIRM_S) is True
        return await self._question("compare", f"{passkey:06d}", DIGITS_S) is True

    async def _question(self, question: str, digits: str, within_s: float) -> object:
        """Show a question and return the reply of a tablet, None if there is none in time."""
        state = self._state
        assert state is not None, "a question belongs to a pairing"
        self._reply = asyncio.get_running_loop().create_future()
        state.question, state.digits = question, digits
        try:
            async with self._clock.timeout_at(self._clock.monotonic_s() + within_s):
                return await self._reply
        except TimeoutError:
            return None
        finally:
            state.question = state.digits = ""
            self._reply = None
