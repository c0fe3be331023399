"""`webhook.*`: the rate of deliveries from a queue, or from events, to their final rows, against a bare aiohttp client
loop.

`webhook.deliveries` is the worker's whole path: it claims a delivery under a lease, durably, signs it twice, sends it
through the egress client, and writes the attempt and its result, durably. The queue is filled before the time starts.
Each delivery is the only one of its ordering key, so none waits for another. `webhook.events` starts with events in the
outbox: the relay claims them and creates a delivery for each subscriber, in the transaction that completes the event.

The reference is a plain loop: it posts the same bytes with the same headers to the same addresses, with as many
requests at a time as the worker may have for one tenant, on kept-alive connections, and stores nothing. Both send to
one receiver, its own process, which responds with 200 and does nothing else; both start each run without connections.
"""

import asyncio
import atexit
import gc
import itertools
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import aiohttp
from sqlalchemy import select

from cloud.foundation.db import Prepared, migrate, open_database
from cloud.foundation.db.statistics import refresh_statistics
from cloud.foundation.egress.client import USER_AGENT
from cloud.foundation.events.tables import outbox_events
from cloud.partners.webhooks.in_flight import Limits
from cloud.partners.webhooks.messages import message_body
from cloud.partners.webhooks.tables import webhook_deliveries
from simulators.demo.free_ports import free_port
from tests.bench.frame import Done, Run
from tests.builders.webhook_story import WebhookStory, webhook_story
from tests.harness.postgresql import postgresql_running
from tests.harness.receiver import Receiver

_EVENT_LEFT = Prepared(select(outbox_events.c.id).where(outbox_events.c.done_at_us.is_(None)).limit(1))
_DELIVERY_LEFT = Prepared(select(webhook_deliveries.c.id).where(webhook_deliveries.c.finished_at_us.is_(None)).limit(1))

ENDPOINTS = 8
EVENTS = 360
"""Events in one run, each about another incident, and each for every endpoint. There are enough to outweigh the
start."""
DELIVERIES = ENDPOINTS * EVENTS

_RECEIVER = """
import asyncio, sys
class Receiver(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.data = transport, b""
    def data_received(self, data):
        self.data += data
        while (end := self.data.find(b"\\r\\n\\r\\n")) >= 0:
            head = self.data[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\\r\\n")[0])
            if len(self.data) < end + 4 + length:
                return
            self.data = self.data[end + 4 + length:]
            self.transport.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
async def main():
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", int(sys.argv[1]))
    print("up", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def measure(*, postgresql: bool = False, from_event: bool = False) -> tuple[Run, Run]:
    """Return two runs: our deliveries, and the bare loop. With `from_event`, our run starts with events in the outbox,
    otherwise with queued deliveries."""
    kept = ExitStack()
    atexit.register(kept.close)
    if postgresql:
        cluster = kept.enter_context(postgresql_running())
        cluster.administer("CREATE DATABASE ours TEMPLATE template0")
        url = cluster.url("ours")
    else:
        url = f"sqlite:///{Path(kept.enter_context(tempfile.TemporaryDirectory())) / 'cloud.db'}"
    receiver = Receiver(port=free_port())
    process = subprocess.Popen([sys.executable, "-c", _RECEIVER, str(receiver.port)], stdout=subprocess.PIPE)
    kept.callback(process.kill)
    assert process.stdout is not None
    process.stdout.readline()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(migrate(url, create=True))

    async def opened() -> WebhookStory:
        story = await webhook_story(await open_database(url), receiver)
        for number in range(ENDPOINTS):
            await story.subscribe(receiver.url(f"/{number}"))
        return story

    story = loop.run_until_complete(opened())
    kept.callback(lambda: loop.run_until_complete(story.database.close()))
    gc.collect()
    gc.freeze()  # as the cloud does after its start
    # A process ends with its loop: the worker's own loop runs inside each run of ours.
    ours = partial(_ours, story, from_event=from_event)
    return lambda: loop.run_until_complete(ours()), lambda: loop.run_until_complete(_bare(receiver))


async def _ours(story: WebhookStory, *, from_event: bool) -> Done:
    async with story.database.transaction() as tx:
        for number in range(EVENTS):
            await story.emit(tx, f"inc_{number}", state="on_scene")
        await refresh_statistics(tx, 0)  # as the cloud does every 10 s: a plan for empty tables reads the whole history
    if not from_event:
        await story.fan_out()
    stopping = asyncio.Event()
    worker = story.another_worker()
    relay = story.another_relay(worker.wake)
    begun_s = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(relay.run(stopping))
        tasks.create_task(worker.run(stopping))
        # The rows decide, but polling them from the start would slow the run down.
        while worker.settled < DELIVERIES or await _unfinished(story):  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0.005)
        elapsed_s = time.perf_counter() - begun_s
        stopping.set()
    return Done(DELIVERIES, elapsed_s)


async def _unfinished(story: WebhookStory) -> bool:
    return bool(await story.database.peek(_DELIVERY_LEFT, {}) or await story.database.peek(_EVENT_LEFT, {}))


async def _bare(receiver: Receiver) -> int:
    body = message_body("incident.updated", 0, {"incident_id": "inc_1", "state": "on_scene"}).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": "evt_01KMFVEKG06WHSQKY6B6817Q1R",
        "webhook-timestamp": "1774353600",
        "webhook-signature": f"v1,{'a' * 44} v1a,{'a' * 88}",
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
    }
    urls = itertools.islice(itertools.cycle([receiver.url(f"/{number}") for number in range(ENDPOINTS)]), DELIVERIES)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:

        async def loop() -> None:
            for url in urls:
                async with session.post(url, data=body, headers=headers) as answer:
                    await answer.read()

        for _ in range(Limits().of_tenant):
            tasks.create_task(loop())
    return DELIVERIES
