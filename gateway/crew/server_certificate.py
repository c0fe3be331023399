"""Keeps the server certificate of the crew's pages valid: for the present names and addresses, and over time.

A new certificate is made when the gateway starts, when half of the validity is over, when the machine gets another
address, when a time service begins or ceases to set the clock, and when the clock was set back by more than a day. Open
connections are not affected.
"""

import ipaddress
import socket
from collections.abc import Callable

import ifaddr
import structlog

from gateway.security.vehicle_authority import (
    ServerCertificate,
    VehicleAuthority,
    is_loopback,
    mdns_hosts,
    server_context,
)
from gateway.sessions.clocks.trusted_clock import TrustedClock
from protocols.observation_record import utc_text

CHECK_EVERY_S = 5.0
"""Interval of the check: a tablet that opens the page right after an address has changed waits no longer."""

_DAY_US = 86_400_000_000

log = structlog.get_logger()


class ServerCertificates:
    """Makes and renews the certificate in `context`. `names`: DNS names of the page; names that the authority's
    constraint does not permit are left out and logged once."""

    def __init__(
        self,
        authority: VehicleAuthority,
        names: frozenset[str],
        clock: TrustedClock,
        *,
        addresses: Callable[[], frozenset[str]] | None = None,
    ) -> None:
        self.authority = authority
        self.context = server_context()
        self._names = names | frozenset(mdns_hosts())
        self._clock = clock
        self._addresses = addresses or private_addresses
        self._addresses_unknown = False
        self._disciplined = False
        self._issued_at_us = 0
        self._wanted: frozenset[str] = frozenset()
        self._issued: ServerCertificate | None = None
        if clock.doubtful:
            log.warning("crew.clock_doubtful", at=utc_text(clock.wall_us()))
        refused = sorted(name for name in self._names if not authority.permits(name))
        if refused:
            log.warning("crew.names_not_certified", names=refused)

    def refresh(self) -> bool:
        """Make a certificate if the present one does not fit any more. Return whether one was made."""
        wanted, now_us = self._names | self._present_addresses(), self._clock.wall_us()
        disciplined = self._clock.synchronised
        fits = self._issued is not None and wanted == self._wanted and disciplined == self._disciplined
        # After a step of the clock back, the certificate may not be valid yet.
        if fits and self._issued is not None and self._issued_at_us - _DAY_US <= now_us < self._issued.renew_at_us:
            return False
        self._issued = self.authority.issue(wanted, now_us=now_us, disciplined=disciplined)
        self._issued.load(self.context)
        self._wanted, self._disciplined, self._issued_at_us = wanted, disciplined, now_us
        return True

    def _present_addresses(self) -> frozenset[str]:
        """Return the machine's addresses. Where they cannot be listed, the page is served under its names only."""
        try:
            found = self._addresses()
        except OSError as error:
            if not self._addresses_unknown:
                log.warning("crew.addresses_unknown", why=error.strerror)
            self._addresses_unknown = True
            return frozenset()
        self._addresses_unknown = False
        return found

    async def run(self) -> None:
        """Renew the certificate until cancelled."""
        while True:
            self.refresh()
            await self._clock.sleep_until(self._clock.monotonic_s() + CHECK_EVERY_S)


def private_addresses() -> frozenset[str]:
    """Return the machine's addresses in private networks. Raises OSError."""
    found = set()
    for adapter in ifaddr.get_adapters():
        for each in adapter.ips:
            address = ipaddress.ip_address(each.ip if isinstance(each.ip, str) else each.ip[0])
            if address.is_private or address.is_link_local:
                found.add(str(address))
    return frozenset(found)


def network_addresses() -> frozenset[str]:
    """Return the machine's private addresses that other machines reach. Raises OSError."""
    return frozenset(each for each in private_addresses() if not is_loopback(each))


def machine_names() -> frozenset[str]:
    """Return the machine's host name and its mDNS name; none where the host name cannot stand in a certificate."""
    name = socket.gethostname().partition(".")[0].lower()
    return frozenset({name, f"{name}.local"}) if name and name.isascii() else frozenset()
