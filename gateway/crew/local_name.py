"""Name `argus.local`, under which tablets in the vehicle's network find the crew page (multicast DNS, RFC 6762).

Two vehicles meet in one network, for instance at a hospital. Before it takes a name, the gateway probes for it (§8.1);
if another machine has it, the gateway takes `argus-2.local`, and so on. If two vehicles have taken the same name, since
their networks were joined later, the one with the lower address takes another (§8.2, §9). A tablet of one vehicle that
reaches the other one gets no page, because it does not trust the other vehicle's authority.

The library announces and responds; it probes for names of services and not of hosts, so the probe is here.
"""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from zeroconf import (  # type: ignore[attr-defined]  # public, but not in __all__
    DNSAddress,
    DNSOutgoing,
    DNSQuestion,
    IPVersion,
    ServiceInfo,
)
from zeroconf.asyncio import AsyncZeroconf

from gateway.transports.clock import Clock

SERVICE = "_https._tcp.local."
PROBES = 3
PROBE_S = 0.25
"""Number of probes and interval between them in seconds (RFC 6762 §8.1)."""
CHECK_EVERY_S = 5.0
"""Interval at which the machine's addresses and the name are checked."""
_RETRY_S = 60.0
"""Pause after which the names are probed again where all are taken."""
_QUERY_FLAGS = 0
_ANY = 255
_INTERNET = 1

log = structlog.get_logger()


class LocalName:
    """Announces the first free one of `names` (`argus.local`, …) for the page at `port`. `addresses`: returns the
    machine's addresses in private networks. `gateway`: id of the gateway, by which the announced service is named."""

    def __init__(
        self,
        names: tuple[str, ...],
        *,
        gateway: str,
        port: int,
        clock: Clock,
        addresses: Callable[[], frozenset[str]],
        check_every_s: float = CHECK_EVERY_S,
    ) -> None:
        self._names = names
        self._gateway = gateway
        self._port = port
        self._clock = clock
        self._addresses = addresses
        self._check_every_s = check_every_s
        self.name: str | None = None
        """The announced name; None while none is announced."""

    async def run(self) -> None:
        """Announce a name until cancelled, again whenever the machine's addresses change or the name is lost. Raises
        OSError where multicast is impossible."""
        while True:
            own = self._own()
            if own:
                async with self._open(own) as network:
                    await self._hold_names(network, own)
            else:
                await self._pause(self._check_every_s)

    async def _hold_names(self, network: AsyncZeroconf, own: frozenset[str]) -> None:
        """Announce the first free name; return when the machine's addresses have changed."""
        for name in self._names:
            if await self._is_taken(network, name, own):
                continue
            service = self._service(name, own)
            # The id of the gateway makes the service's own name unique, so that only the host's name is probed for.
            await network.zeroconf.async_register_service(service, cooperating_responders=True)
            self.name = name
            log.info("crew.name_announced", name=name)
            try:
                while not self._is_lost(network, name, own):
                    await self._pause(self._check_every_s)
                    if own != self._own():
                        return
            finally:
                self.name = None
                await network.zeroconf.async_unregister_service(service)
            log.warning("crew.name_lost", name=name)
        log.warning("crew.no_free_name", names=list(self._names))
        await self._pause(_RETRY_S)

    async def _is_taken(self, network: AsyncZeroconf, name: str, own: frozenset[str]) -> bool:
        """Probe for a name; return whether another machine has it."""
        for _ in range(PROBES):
            probe = DNSOutgoing(_QUERY_FLAGS)
            probe.add_question(DNSQuestion(f"{name}.", _ANY, _INTERNET))
            network.zeroconf.async_send(probe)
            await self._pause(PROBE_S)
            if _others(network, name, own):
                return True
        return False

    def _is_lost(self, network: AsyncZeroconf, name: str, own: frozenset[str]) -> bool:
        """Return whether another machine announces the name, and has the higher address."""
        others = _others(network, name, own)
        return bool(others) and max(map(_order, others)) > max(map(_order, own))

    def _own(self) -> frozenset[str]:
        """Return the machine's IPv4 addresses, which every network of a vehicle has."""
        return frozenset(each for each in self._addresses() if ipaddress.ip_address(each).version == 4)

    def _service(self, name: str, own: frozenset[str]) -> ServiceInfo:
        return ServiceInfo(
            SERVICE,
            f"Argus {self._gateway}.{SERVICE}",
            port=self._port,
            server=f"{name}.",
            parsed_addresses=sorted(own, key=_order),
        )

    @asynccontextmanager
    async def _open(self, own: frozenset[str]) -> AsyncIterator[AsyncZeroconf]:
        addresses = sorted(own, key=_order)
        network = AsyncZeroconf(interfaces=[*addresses], ip_version=IPVersion.V4Only)
        try:
            yield network
        finally:
            await asyncio.shield(network.async_close())

    async def _pause(self, seconds: float) -> None:
        await self._clock.sleep_until(self._clock.monotonic_s() + seconds)


def _others(network: AsyncZeroconf, name: str, own: frozenset[str]) -> set[str]:
    """Return the addresses that other machines have announced for a name."""
    records = network.zeroconf.cache.async_entries_with_name(f"{name}.")
    found = {
        str(ipaddress.ip_address(record.address))
        for record in records
        if isinstance(record, DNSAddress) and len(record.address) == 4
    }
    return found - own


def _order(address: str) -> bytes:
    return ipaddress.ip_address(address).packed
