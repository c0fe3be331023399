"""The logs of every process of a whole run: no value or time of a measurement, no password, key, token or PIN.

A search cannot distinguish small whole numbers (a saturation of 98) from counts, so the fields are checked as well.
"""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.security.identity import CERTIFICATE_KEY_FILE, SIGNING_KEY_FILE, Identity
from gateway.sync.settings import PASSWORD_NAME
from tests.harness.demo import RunningDemo, start_demo

pytestmark = [pytest.mark.broker, pytest.mark.demo]

SECONDS = 8.0
SECRET_FACTS = ("crew_pin", "admin_token", "client_secret", "password")
SECRET_FILES = ("cloud-mqtt-password", "master.key")
VALUE_FIELDS = {"value", "values", "sample", "samples", "octets", "hex", "data", "payload", "device_time", "pin", "key"}
_DECIMAL = re.compile(r"(?<![\d.])\d+\.\d+(?![\d.])")


def secrets_of(demo: RunningDemo) -> Iterator[str]:
    """Yield every secret that the run was made with, in the forms in which one might be printed."""
    facts = demo.facts
    yield from (facts[name] for name in SECRET_FACTS if facts[name])
    identity = Identity.load(demo.state_dir / "gateway" / "identity")
    sealed = [
        identity.secrets.read_sealed(demo.state_dir / "gateway-mqtt-password", PASSWORD_NAME),
        identity.secrets.get(SIGNING_KEY_FILE),
        identity.secrets.get(CERTIFICATE_KEY_FILE),
    ]
    assert None not in sealed
    texts = [(demo.state_dir / name).read_text() for name in SECRET_FILES]
    for text in (*texts, *(secret.decode() for secret in sealed if secret is not None)):
        yield from (line for line in text.splitlines() if line and not line.startswith("-----"))
    store_key = identity.store_key
    yield from (store_key.hex(), base64.b64encode(store_key).decode(), repr(store_key)[2:-1])


def without_its_time(line: str) -> tuple[str, set[str]]:
    """Return a line as text without its time stamp, and the names of its fields."""
    try:
        fields: dict[str, Any] = json.loads(line)
    except ValueError:
        return re.sub(r"^\S+ \S+ ", "", line), set(re.findall(r"(\w+)=", line))
    fields.pop("timestamp", None)
    return json.dumps(fields), set(fields)


async def test_logs_of_a_whole_demo_contain_no_value_and_no_secret(tmp_path: Path):
    demo = await start_demo(tmp_path / "demo", "--for", str(SECONDS))
    try:
        assert await demo.ended(SECONDS + 90) == 0, demo.tail()
        rows = await demo.exported()
    finally:
        await demo.stop()
    logs = [demo.log_file, *(demo.state_dir / "log").glob("*.log")]
    assert {log.name for log in logs} >= {"gateway.log", "cloud.log", "devices.log"}
    lines = [without_its_time(line) for log in logs for line in log.read_text(errors="replace").splitlines()]
    text = "\n".join(line for line, _ in lines)
    assert "device.connected" in text

    fields = {field for _, names in lines for field in names}
    assert fields & VALUE_FIELDS == set()
    secrets = list(secrets_of(demo))
    assert len(secrets) >= 8
    assert [secret[:4] + "…" for secret in secrets if secret in text] == []
    times = {row["device_time"] for row in rows if row["device_time"]} | {row["observed_at"] for row in rows}
    assert [time for time in times if time in text] == []
    values = {str(row["value"]) for row in rows if isinstance(row["value"], float) and not row["value"].is_integer()}
    assert len(values) > 3
    assert values & set(_DECIMAL.findall(text)) == set()
    assert [row["type"] for row in rows if row["samples"] and ", ".join(map(str, row["samples"][:4])) in text] == []
