"""A worker process of the cloud delivers events to a receiver on this machine only if the settings allow it.

The settings list address and port.
"""

import base64
import signal
import time
from pathlib import Path

import pytest

from cloud.foundation.db import open_database
from tests.builders.cloud_settings import settings_file
from tests.builders.webhook_story import webhook_story
from tests.harness.cloud_process import serving
from tests.harness.eventually import eventually
from tests.harness.receiver import receiving


@pytest.mark.contract("C-074", "A-063", "S-102")
async def test_worker_process_delivers_webhooks_only_to_a_receiver_in_the_allow_list(database_url: str, tmp_path: Path):
    key = tmp_path / "master.key"
    key.touch(0o600)
    key.write_text(base64.b64encode(bytes(range(32))).decode())
    async with receiving() as receiver, receiving() as other:
        story = await webhook_story(await open_database(database_url), receiver)
        story.clock.advance(us=time.time_ns() // 1000 - story.clock.now_us())
        await story.subscribe(receiver.url())
        blocked = await story.subscribe(other.url())
        event_id = await story.happen()
        more = f'[secrets]\nmaster_key_file = "{key}"\n[egress]\nallow = ["127.0.0.1:{receiver.port}"]\n'
        config = settings_file(tmp_path, database_url=database_url, more=more)
        async with serving(config, "--only", "worker") as served:
            await eventually(lambda: receiver.received)

            async def told() -> bool:
                return all(row["attempts"] for row in await story.deliveries())

            await eventually(told)
            served.process.send_signal(signal.SIGTERM)
            assert await served.process.wait() == 0
        (failed,) = await story.deliveries(blocked)
        await story.close()
        await story.database.close()
    assert receiver.ids() == [event_id]
    assert other.connections == 0
    assert (failed["status"], failed["error_code"]) == ("failed", "blocked_address")
    assert receiver.url() not in str(served.lines)
