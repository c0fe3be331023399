"""Log lines are JSON, and a logged failure contains no text of the data that caused it."""

import json
import subprocess
import sys

PROGRAM = """
import asyncio, logging, structlog
from gateway.logs import configure

configure("info")
log = structlog.get_logger()

def read(text):
    return float(text)

try:
    read("38,7 Synthetic")
except ValueError:
    log.exception("session.failed", link="tcp:peer")
log.debug("never.written")

async def forgotten():
    asyncio.get_running_loop().create_task(failing())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

async def failing():
    raise ValueError("38,7 Synthetic")

asyncio.run(forgotten())
logging.getLogger("aiohttp.server").error("Error handling request\\nSynthetic")
"""


def test_logged_exception_has_type_and_frames_and_never_its_message():
    finished = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in finished.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["session.failed", "library.spoke", "library.spoke"]
    (told,) = lines[0]["exception"]
    assert told["exc_type"] == "ValueError"
    assert [frame["name"] for frame in told["frames"]] == ["<module>", "read"]
    assert lines[1]["message"] == "Task exception was never retrieved"
    assert lines[2]["message"] == "Error handling request"
    assert "Synthetic" not in finished.stderr
    assert "38,7" not in finished.stderr
