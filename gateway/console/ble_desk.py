"""Bluetooth requests over the control socket: the gateway has the adapter, so it scans, pairs and forgets devices.

`{"ask": "ble"}` returns one line at once. Without Bluetooth it is {"bluetooth": false, "why": null}; "why" is a
sentence where the configured stack cannot be loaded. Otherwise it is {"bluetooth": true, "adapter": …, "trouble": …,
"pairing": address or null, "paired": […], "heard": […]} (`ble_view`). A client scans by polling: `heard` has the
devices that advertised in the last minute.

`{"ask": "ble pair", "address": "C0:FF:EE:00:00:01"}` begins a conversation (`dialogue`). Options and their defaults:
"yes": false (true: every confirmation is given, and no question is sent), "passkey": null (six digits that the device
will show), "without_bond": false, "again": false (true: pair even if the device is paired and works). The gateway
responds with lines:

- `{"step": "listening" | "pairing" | "looking" | "paired", "says": …}`: what happens now;
- `{"question": "confirm", "says": …, "passkey": null or six digits to compare}`: reply `{"answer": true or false}`;
- `{"question": "passkey", "says": …}`: reply `{"answer": 123456}` or `{"answer": null}`, within 25 s;
- the last line: `{"done": device as in "paired", "says": …}` or {"failed": kind, "happened": …, "to_do": …}, with the
  kinds of `pairing_failures.Trouble`. With "yes", a device that shows digits fails with "no_digits" unless "passkey"
  has them.

One pairing runs at a time. It ends when the client hangs up, and an incomplete pairing is undone.

`{"ask": "ble forget", "address": …}` returns `{"done": address, "says": …}` or {"failed": "not_paired", …}.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from gateway.buffer import StoreFull
from gateway.console.ble_view import Json, paired_json, passkey_of
from gateway.console.dialogue import Dialogue
from gateway.sessions.gatt.pairing import Pairings
from gateway.sessions.gatt.pairing_failures import PairingFailed, Trouble, failed
from gateway.transports.ble.central import BleCentral

PERSON_S = 25.0
"""Time for an operator to read six digits and type them: the stack itself waits 30 s."""
CONFIRM_S = 90.0
"""Time for an operator to confirm the device at hand, before pairing begins."""

log = structlog.get_logger()


class _DialoguePerson:
    """The operator (`Person`) of a pairing, reached through a conversation with the operator's client. `yes` and
    `passkey` are the request's options."""

    def __init__(self, dialogue: Dialogue, *, yes: bool, passkey: int | None) -> None:
        self._dialogue = dialogue
        self._yes = yes
        self._passkey = passkey

    async def show_step(self, step: str, says: str) -> None:
        await self._dialogue.send({"step": step, "says": says})

    async def passkey(self, says: str) -> int | None:
        given, self._passkey = self._passkey, None
        if given is not None or self._yes:
            return given
        try:
            return passkey_of(await self._dialogue.query({"question": "passkey", "says": says}, PERSON_S))
        except TimeoutError:
            return None

    async def confirm(self, says: str, passkey: int | None) -> bool:
        if passkey is not None and self._passkey is not None:
            return passkey == self._passkey
        if self._yes:
            return True
        within_s = CONFIRM_S if passkey is None else PERSON_S
        shown = None if passkey is None else f"{passkey:06d}"
        try:
            reply = await self._dialogue.query({"question": "confirm", "says": says, "passkey": shown}, within_s)
        except TimeoutError:
            return False
        return reply is True


class BleDesk:
    """Handler of the requests `ble pair` and `ble forget`. `well(address)` returns whether a paired device works; such
    a device need not be paired again."""

    def __init__(self, pairings: Pairings, radio: BleCentral, well: Callable[[str], Awaitable[bool]]) -> None:
        self._pairings = pairings
        self._radio = radio
        self._well = well

    @property
    def conversations(self) -> Mapping[str, Callable[[Dialogue, Mapping[str, Any]], Awaitable[None]]]:
        """Map of request names to their handlers, for the control server."""
        return {"ble pair": self.pair, "ble forget": self.forget}

    async def pair(self, dialogue: Dialogue, request: Mapping[str, Any]) -> None:

        async def work() -> Json:
            passkey = passkey_of(request.get("passkey"))
            if passkey is None and request.get("passkey") is not None:
                raise failed(Trouble.BAD_PASSKEY)
            person = _DialoguePerson(dialogue, yes=request.get("yes") is True, passkey=passkey)
            device = await self._pairings.pair(
                self._radio,
                str(request.get("address")),
                person,
                without_bond=request.get("without_bond") is True,
                well=None if request.get("again") is True else self._well,
            )
            bond = "with a bond" if device.bonded else "WITHOUT a bond"
            return {"done": paired_json(device), "says": f"Paired {bond}."}

        await _last_word(dialogue, work)

    async def forget(self, dialogue: Dialogue, request: Mapping[str, Any]) -> None:
        address = str(request.get("address")).strip().upper()

        async def work() -> Json:
            left = await self._pairings.forget(self._radio, address)
            return {"done": address, "says": f"Forgotten: nothing is taken from it any more. {left}".strip()}

        await _last_word(dialogue, work)


async def _last_word(dialogue: Dialogue, work: Callable[[], Awaitable[Json]]) -> None:
    try:
        line = await work()
    except PairingFailed as failure:
        line = _failed(failure)
    except StoreFull:
        line = _failed(failed(Trouble.STORE_FULL))
    except OSError:
        raise  # the client has hung up
    except Exception:
        log.exception("ble.request_failed")
        line = {
            "failed": "internal",
            "happened": "That failed in a way that was not foreseen.",
            "to_do": "See the log.",
        }
    await dialogue.send(line)


def _failed(failure: PairingFailed) -> Json:
    return {"failed": failure.trouble.value, "happened": failure.happened, "to_do": failure.to_do}
