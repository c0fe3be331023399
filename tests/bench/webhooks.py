"""`webhook.deliveries`: from an event in the outbox to a settled delivery, against a bare aiohttp client loop.

Ours is the worker's whole way: the relay claims the event, queues a delivery for each subscriber in the transaction
that settles it, the worker claims it under a lease, signs it twice, sends it through the guarded client, and writes the
attempt and what became of it, durably. The reference is the plain loop: it posts as many octets with the same headers,
one request after the other on a kept connection, and keeps nothing. Both send to the same receiver, a process of its
own that answers 200 and no more.
"""

import asyncio
import atexit
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import aiohttp
from sqlalchemy import select

from cloud.db import Prepared, migrate, open_database
from cloud.egress.client import USER_AGENT
from cloud.events.tables import outbox_events
from cloud.webhooks.messages import message_body
from cloud.webhooks.tables import webhook_deliveries
from tests.builders.webhook_story import WebhookStory, webhook_story
from tests.harness.broker import free_port
from tests.harness.postgresql import postgresql_running
from tests.harness.receiver import Receiver

Run = Callable[[], int]

_EVENT_LEFT = Prepared(select(outbox_events.c.id).where(outbox_events.c.done_at_us.is_(None)).limit(1))
_DELIVERY_LEFT = Prepared(select(webhook_deliveries.c.id).where(webhook_deliveries.c.finished_at_us.is_(None)).limit(1))

ENDPOINTS = 8
EVENTS = 120
"""Each of an incident of its own, and each for every endpoint."""
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


def measure(*, postgresql: bool = False) -> tuple[Run, Run]:
    """Ours and the bare loop."""
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
    loop.run_until_complete(migrate(url))

    async def opened() -> WebhookStory:
        story = await webhook_story(await open_database(url), receiver)
        for number in range(ENDPOINTS):
            await story.subscribe(receiver.url(f"/{number}"))
        return story

    story = loop.run_until_complete(opened())
    # A process ends with its loop: the worker's own loop runs inside each run of ours.
    return lambda: loop.run_until_complete(_ours(story)), lambda: loop.run_until_complete(_bare(receiver))


async def _ours(story: WebhookStory) -> int:
    async with story.database.transaction() as tx:
        for number in range(EVENTS):
            await story.emit(tx, f"inc_{number}", state="on_scene")
    stopping = asyncio.Event()
    worker = story.another_worker()
    relay = story.another_relay(worker.wake)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(relay.run(stopping))
        tasks.create_task(worker.run(stopping))
        while await _unfinished(story):  # noqa: ASYNC110  the rows say it, and nobody else knows
            await asyncio.sleep(0.02)
        stopping.set()
    return DELIVERIES


async def _unfinished(story: WebhookStory) -> bool:
    return bool(await story.database.peek(_EVENT_LEFT, {}) or await story.database.peek(_DELIVERY_LEFT, {}))


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
    async with aiohttp.ClientSession() as session:
        for number in range(DELIVERIES):
            async with session.post(receiver.url(f"/{number % ENDPOINTS}"), data=body, headers=headers) as answer:
                await answer.read()
    return DELIVERIES
