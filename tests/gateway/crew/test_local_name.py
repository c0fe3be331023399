"""Tablets find the crew page as `argus.local`; of two vehicles in one network, the second one takes another name.

The resolver and the gateways use real multicast on the loopback interface, under names of their own.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from zeroconf import IPVersion
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from gateway.crew.local_name import SERVICE, LocalName
from gateway.transports.clock import SystemClock
from tests.harness.eventually import eventually

CHECK_EVERY_S = 0.1


def names() -> tuple[str, ...]:
    """Return names that no other test on this machine has."""
    mark = secrets.token_hex(4)
    return tuple(f"argus-{mark}-{number}.local" for number in range(1, 4))


@asynccontextmanager
async def announced(wanted: tuple[str, ...], addresses: str | set[str]) -> AsyncIterator[LocalName]:
    name = LocalName(
        wanted,
        gateway=f"gw_{secrets.token_hex(4)}",
        port=8443,
        clock=SystemClock(),
        addresses=lambda: frozenset({addresses} if isinstance(addresses, str) else addresses),
        check_every_s=CHECK_EVERY_S,
    )
    task = asyncio.create_task(name.run())
    try:
        await eventually(lambda: name.name is not None or task.done(), what="a name is announced")
        yield name
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_resolver_in_the_network_finds_the_page_by_the_announced_name():
    wanted = names()
    async with announced(wanted, "127.0.0.1") as local:
        assert local.name == wanted[0]
        resolver = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
        try:
            service = AsyncServiceInfo(SERVICE, f"Argus {local._gateway}.{SERVICE}")
            assert await service.async_request(resolver.zeroconf, 20_000)
            assert service.server == f"{wanted[0]}."
            assert service.parsed_addresses() == ["127.0.0.1"]
            assert service.port == 8443
        finally:
            await resolver.async_close()


async def test_two_vehicles_that_take_a_name_at_the_same_time_end_with_different_names():
    wanted = names()
    async with AsyncExitStack() as stack:
        first, second = await asyncio.gather(
            *(stack.enter_async_context(announced(wanted, f"127.0.0.{number}")) for number in (2, 3))
        )
        await eventually(
            lambda: None not in (first.name, second.name) and first.name != second.name, what="one changes its name"
        )
        assert {first.name, second.name} <= set(wanted)


async def test_gateway_follows_a_change_of_the_machines_addresses():
    wanted, present = names(), {"127.0.0.2"}
    async with announced(wanted, present) as local:
        present.clear()
        await eventually(lambda: local.name is None, what="the name is withdrawn")
        present.add("127.0.0.3")
        await eventually(lambda: local.name is not None, what="a name is announced again")
