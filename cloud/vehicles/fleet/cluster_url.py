"""Addresses of the nodes of a RabbitMQ cluster in one setting: `amqps://HOST:PORT,HOST:PORT`, and the same for https.

A list instead of a load balancer's name, so that the cloud reaches another node as soon as one has failed.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

HOSTS_MAX = 16
"""Nodes of one setting. A RabbitMQ cluster has three to seven."""

PORTS: Mapping[str, int] = {"amqp": 5672, "amqps": 5671, "http": 15672, "https": 15671}
"""RabbitMQ's own ports of AMQP and of its management listener."""

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::(\d{1,5}))?")


class ClusterUrl(NamedTuple):
    """Addresses of all nodes. `secure`: TLS is used."""

    scheme: str
    hosts: tuple[tuple[str, int], ...]

    @property
    def secure(self) -> bool:
        return self.scheme.endswith("s")

    @property
    def text(self) -> str:
        return f"{self.scheme}://{','.join(_written(*host) for host in self.hosts)}"

    def of_each_node(self) -> tuple[str, ...]:
        """Return the address of each node as a URL without a path."""
        return tuple(f"{self.scheme}://{_written(*host)}" for host in self.hosts)


def parse_cluster_url(value: object, scheme: str) -> ClusterUrl:
    """Parse `SCHEME://HOST[:PORT][,HOST[:PORT]…]`, where SCHEME is `scheme` or, with TLS, `scheme` and an `s`. Raises
    ValueError for any other text."""
    wrong = f'write "{scheme}s://HOST:PORT,HOST:PORT" or, without TLS, "{scheme}://HOST:PORT"'
    found, _, rest = value.partition("://") if isinstance(value, str) else ("", "", "")
    parts = rest.rstrip("/").split(",")
    if found not in {scheme, f"{scheme}s"} or len(parts) > HOSTS_MAX:
        raise ValueError(wrong)
    hosts = []
    for part in parts:
        host = _HOST.fullmatch(part)
        port = PORTS[found] if host is None or host[3] is None else int(host[3])
        if host is None or not 0 < port <= 65535:
            raise ValueError(wrong)
        hosts.append((host[1] or host[2], port))
    return ClusterUrl(found, tuple(hosts))


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
