"""The process that makes one analysis: it reads the graph from its standard input and writes a JSON object to its
standard output.

It is a process of its own, so that a large graph neither delays the requests and leases of the worker nor stays in its
memory, and so that a cancelled job ends at once.
"""

import resource
import sys
from typing import Any

import orjson

MEMORY_BYTES_MAX = 2 << 30
"""Address space of the process. The largest graph needs about a third of it."""
CPU_S_MAX = 600
"""Processor time of one analysis. The largest graph needs less than a minute."""
TOO_LARGE = 3
"""Exit code when the memory does not suffice."""


def limit_resources() -> None:
    """Limit the memory and the processor time of this process."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would have the graph


def analyse(request: dict[str, Any]) -> dict[str, Any]:
    """Read the graph from the standard input, and return the requested analysis of it."""
    from cloud.work.graph.analysis import Graph  # after the limits are set

    graph = Graph(line.rstrip("\n") for line in sys.stdin)
    match request["analysis"]:
        case "components":
            return graph.components()
        case "centrality":
            return graph.centrality(request["top"])
        case "shortest_paths":
            return graph.shortest_paths(request["between"])
        case "communities":
            return graph.communities()
        case "counts":
            return graph.counts()
        case other:
            raise ValueError(f"there is no analysis {other}")


def main() -> int:
    limit_resources()
    try:
        sys.stdout.buffer.write(orjson.dumps(analyse(orjson.loads(sys.argv[1]))))
    except MemoryError:
        return TOO_LARGE
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
