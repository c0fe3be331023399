"""A name server that does not respond delays lookups in its own zone, and in no other."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from cloud.foundation.egress import resolver as resolvers
from cloud.foundation.egress.resolver import NameUnresolved, SystemResolver
from tests.harness.eventually import eventually


@pytest.fixture
def silent_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let lookups below silent.example wait, and all others succeed at once.

    The yielded event ends the waiting lookups with an error.
    """
    answers = threading.Event()

    def look_up(host: str, port: int) -> list[str]:
        if host.endswith(".silent.example"):
            answers.wait(30)
            raise socket.gaierror
        return ["192.0.2.1"]

    monkeypatch.setattr(resolvers, "_look_up", look_up)
    yield answers
    answers.set()


async def test_unresponsive_name_server_does_not_delay_lookups_of_another_zone(silent_zone: threading.Event) -> None:
    resolver = SystemResolver()
    silent = [asyncio.ensure_future(resolver.resolve(f"{number}.silent.example", 443)) for number in range(200)]
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(20):
            assert await resolver.resolve("hooks.example.org", 443) == ["192.0.2.1"]
        for one in silent[:100]:
            one.cancel()  # callers whose time limit has passed
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            assert await resolver.resolve("hooks.example.org", 443) == ["192.0.2.1"]
        silent_zone.set()
        found = await asyncio.gather(*silent, return_exceptions=True)
        assert {type(one) for one in found} == {asyncio.CancelledError, NameUnresolved}
        await eventually(lambda: not resolver._zones)
    finally:
        silent_zone.set()
        resolver.close()
