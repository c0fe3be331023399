"""Write field changes of care records to the store, for the control socket and the tablets.

`{"ask": "epcr append", "encounter": …, "author": …, "changes": […]}` stores all changes or none. A change has "id" and
"key", and where they apply "entry", "action" (set, remove or void; default: set), "value", "negative", "not_recorded",
"device_time" (with an offset) and "replaces" (ids of earlier changes): see `protocols.epcr.change`. The client chooses
the ids, one for each change; a request without a response can be sent again.

The response comes when the changes are durable: `{"stored": ids, "repeated": ids, "gateway_time_us": …}`. Otherwise it
is `{"refused": [{"index": …, "code": …, "text": …}]}`, and nothing is stored.
"""

from collections.abc import Mapping
from typing import Any

import structlog

from gateway.buffer import BufferClosed, StoreFull
from gateway.buffer.care_changes import ChangeIdReused
from gateway.epcr.drafts import ChangesRefused, Drafts
from gateway.epcr.requests import RequestRefused, changes_of
from gateway.transports.clock import Clock
from protocols.errors import LocalProtocolError

log = structlog.get_logger()

Json = dict[str, Any]


class RecordWriter:
    """Checks the changes of a request against the catalogue, and stores them in their draft."""

    def __init__(self, drafts: Drafts, clock: Clock) -> None:
        self._drafts = drafts
        self._clock = clock

    async def append(self, request: Mapping[str, Any]) -> Json:
        """Store the changes of a request; return the response when they are durable."""
        now_us = self._clock.wall_us()
        try:
            changes = changes_of(request, gateway_time_us=now_us)
            stored = await self._drafts.append_changes(changes)
        except RequestRefused as request:
            log.info("epcr.refused", codes=sorted({each.fault.code for each in request.faults}))
            return {"refused": [_fault(each.index, each.fault.code, each.fault.text) for each in request.faults]}
        except ChangesRefused as refused:
            log.info("epcr.refused", codes=[refused.fault.code])
            return {"refused": [_fault(None, refused.fault.code, refused.fault.text)]}
        except ChangeIdReused as reused:
            index = next(index for index, change in enumerate(changes) if change.id == reused.change_id)
            return {"refused": [_fault(index, "id_reused", str(reused))]}
        except LocalProtocolError as error:
            return {"refused": [_fault(None, "too_large", f"{error}. Send the changes in several requests.")]}
        except (StoreFull, BufferClosed) as error:
            text = f"The store of the gateway cannot record now ({error}). Keep the changes and send them again."
            return {"refused": [_fault(None, "store_full", text)]}
        log.info("epcr.stored", changes=len(stored.added), repeated=len(stored.repeated))
        return {"stored": list(stored.added), "repeated": list(stored.repeated), "gateway_time_us": now_us}


def _fault(index: int | None, code: str, text: str) -> Json:
    return {"index": index, "code": code, "text": text}
