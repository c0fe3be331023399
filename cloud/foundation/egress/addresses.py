"""Check whether an IP address is public.

The lists of networks are our own, because `ipaddress.is_global` accepts NAT64, IPv4-compatible and multicast addresses,
and in some Python 3.11 releases 6to4. Each of them can lead into a private network. An address that `is_global` refuses
is refused too, so a later Python version can only reduce the accepted addresses.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

# The IANA special-purpose registry (RFC 6890 and its updates), multicast and the reserved top.
_NOT_PUBLIC_4 = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
# Global unicast is only 2000::/3; mapped, compatible, NAT64 (64:ff9b::), local and multicast addresses are outside.
_UNICAST_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    ip_network(text)
    for text in (
        "2001::/23",  # protocol assignments, with Teredo, which embeds an IPv4 address
        "2001:db8::/32",
        "2002::/16",  # 6to4, which embeds an IPv4 address
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether packets to this address go to the public Internet, according to IANA's registries."""
    if not address.is_global:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return (
        address.scope_id is None and address in _UNICAST_6 and not any(address in network for network in _NOT_PUBLIC_6)
    )


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address in a text of the usual form; None for any other text, such as `127.1` or `0x7f000001`."""
    try:
        return ip_address(text)
    except ValueError:
        return None
